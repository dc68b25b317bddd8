//! Bytes to payloads, without a tree between the bytes and the Python objects.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyList, PyString, PyTuple};
use rmp::Marker;

use crate::pack::{ARRAY, MAX_CONTAINERS, MAX_DEPTH, error, too_deep, too_many};

/// Decode what `pack` made.
#[pyfunction]
#[pyo3(signature = (data, /))]
pub(crate) fn unpack<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let mut packed = Packed { py, rest: data, containers: 0 };
    let value = packed.value(MAX_DEPTH)?;
    match packed.rest.len() {
        0 => Ok(value),
        more => Err(error(py, format!("{more} bytes follow the value; they are no MessagePack of this store"))),
    }
}

/// What is not unpacked yet.
struct Packed<'a, 'py> {
    py: Python<'py>,
    rest: &'a [u8],
    containers: usize,
}

impl<'a, 'py> Packed<'a, 'py> {
    fn value(&mut self, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let marker = self.marker()?;
        Ok(match marker {
            Marker::Null => py.None().into_bound(py),
            Marker::True | Marker::False => PyBool::new(py, marker == Marker::True).to_owned().into_any(),
            Marker::F32 => PyFloat::new(py, f64::from(f32::from_be_bytes(self.take()?))).into_any(),
            Marker::F64 => PyFloat::new(py, f64::from_be_bytes(self.take()?)).into_any(),
            Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32 => self.text(marker)?,
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let length = self.length(marker)?;
                PyBytes::new(py, self.bytes(length)?).into_any()
            }
            Marker::FixArray(_) | Marker::Array16 | Marker::Array32 => self.list(marker, depth)?,
            Marker::FixMap(_) | Marker::Map16 | Marker::Map32 => self.mapping(marker, depth)?,
            Marker::Ext8 | Marker::Ext16 | Marker::Ext32 => {
                let length = self.length(marker)?;
                self.extension(length)?
            }
            Marker::FixExt1 => self.extension(1)?,
            Marker::FixExt2 => self.extension(2)?,
            Marker::FixExt4 => self.extension(4)?,
            Marker::FixExt8 => self.extension(8)?,
            Marker::FixExt16 => self.extension(16)?,
            _ => self.integer(marker)?,
        })
    }

    fn integer(&mut self, marker: Marker) -> PyResult<Bound<'py, PyAny>> {
        let number: i128 = match marker {
            Marker::FixPos(number) => number.into(),
            Marker::FixNeg(number) => number.into(),
            Marker::U8 => u8::from_be_bytes(self.take()?).into(),
            Marker::U16 => u16::from_be_bytes(self.take()?).into(),
            Marker::U32 => u32::from_be_bytes(self.take()?).into(),
            Marker::U64 => return Ok(u64::from_be_bytes(self.take()?).into_pyobject(self.py)?.into_any()),
            Marker::I8 => i8::from_be_bytes(self.take()?).into(),
            Marker::I16 => i16::from_be_bytes(self.take()?).into(),
            Marker::I32 => i32::from_be_bytes(self.take()?).into(),
            Marker::I64 => i64::from_be_bytes(self.take()?).into(),
            _ => return Err(self.broken("a byte marks no type")),
        };
        Ok(number.into_pyobject(self.py)?.into_any())
    }

    fn text(&mut self, marker: Marker) -> PyResult<Bound<'py, PyAny>> {
        let length = self.length(marker)?;
        let text =
            std::str::from_utf8(self.bytes(length)?).map_err(|_| error(self.py, "a text is not UTF-8".into()))?;
        Ok(PyString::new(self.py, text).into_any())
    }

    fn list(&mut self, marker: Marker, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let length = self.length(marker)?;
        let depth = self.within(depth)?;
        let list = PyList::empty(self.py);
        for _ in 0..length {
            list.append(self.value(depth)?)?;
        }
        Ok(list.into_any())
    }

    fn mapping(&mut self, marker: Marker, depth: usize) -> PyResult<Bound<'py, PyAny>> {
        let length = self.length(marker)?;
        let depth = self.within(depth)?;
        let dict = PyDict::new(self.py);
        for _ in 0..length {
            let key = match self.marker()? {
                marker @ (Marker::FixStr(_) | Marker::Str8 | Marker::Str16 | Marker::Str32) => self.text(marker)?,
                _ => return Err(error(self.py, "a mapping has a key that is no text".into())),
            };
            dict.set_item(key, self.value(depth)?)?;
        }
        Ok(dict.into_any())
    }

    fn extension(&mut self, length: usize) -> PyResult<Bound<'py, PyAny>> {
        let kind = i8::from_be_bytes(self.take()?);
        if kind != ARRAY {
            return Err(error(self.py, format!("extension type {kind} is not known")));
        }
        self.count()?;
        array(self.py, self.bytes(length)?)
    }

    /// The depth that is left in a list or mapping.
    fn within(&mut self, depth: usize) -> PyResult<usize> {
        self.count()?;
        depth.checked_sub(1).ok_or_else(|| too_deep(self.py))
    }

    fn count(&mut self) -> PyResult<()> {
        self.containers += 1;
        if self.containers > MAX_CONTAINERS { Err(too_many(self.py)) } else { Ok(()) }
    }

    fn marker(&mut self) -> PyResult<Marker> {
        Ok(Marker::from_u8(u8::from_be_bytes(self.take()?)))
    }

    /// The length that a marker has in itself, or that follows it.
    fn length(&mut self, marker: Marker) -> PyResult<usize> {
        Ok(match marker {
            Marker::FixStr(length) | Marker::FixArray(length) | Marker::FixMap(length) => length.into(),
            Marker::Str8 | Marker::Bin8 | Marker::Ext8 => u8::from_be_bytes(self.take()?).into(),
            Marker::Str16 | Marker::Bin16 | Marker::Ext16 | Marker::Array16 | Marker::Map16 => {
                u16::from_be_bytes(self.take()?).into()
            }
            _ => u32::from_be_bytes(self.take()?) as usize,
        })
    }

    fn take<const N: usize>(&mut self) -> PyResult<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or_else(|| self.broken("they end too early"))?;
        self.rest = rest;
        Ok(*taken)
    }

    fn bytes(&mut self, length: usize) -> PyResult<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(|| self.broken("they end too early"))?;
        self.rest = rest;
        Ok(taken)
    }

    fn broken(&self, why: &str) -> PyErr {
        error(self.py, format!("the bytes are no MessagePack of this store: {why}"))
    }
}

fn array<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let broken = || error(py, "an array's header is broken".into());
    let (&name_length, rest) = bytes.split_first().ok_or_else(broken)?;
    let (name, rest) = rest.split_at_checked(name_length.into()).ok_or_else(broken)?;
    let (&dimensions, rest) = rest.split_first().ok_or_else(broken)?;
    let (shape, data) = rest.split_at_checked(usize::from(dimensions) * 8).ok_or_else(broken)?;
    let shape: Vec<u64> = shape.as_chunks::<8>().0.iter().map(|n| u64::from_le_bytes(*n)).collect();
    let name = std::str::from_utf8(name).map_err(|_| broken())?;
    let plain = match name.as_bytes() {
        [b'<' | b'>' | b'|', b'b' | b'i' | b'u' | b'f', size @ ..] => matches!(size, b"1" | b"2" | b"4" | b"8" | b"16"),
        _ => false,
    };
    if !plain {
        return Err(broken());
    }
    let numpy = py.import("numpy")?;
    let flat = numpy.call_method1("frombuffer", (PyBytes::new(py, data), name)).map_err(|_| broken());
    // An empty buffer is refused by frombuffer, and an own copy is writable.
    let flat = if data.is_empty() {
        numpy.call_method1("empty", (0, name)).map_err(|_| broken())?
    } else {
        flat?.call_method0("copy")?
    };
    flat.call_method1("reshape", (PyTuple::new(py, shape)?,)).map_err(|_| broken())
}
