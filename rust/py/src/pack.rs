//! Payloads: `MessagePack`, with `NumPy` arrays as an extension type.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use rmp::encode as write;
use rmpv::ValueRef;

/// Extension type of an array: dtype, shape, bytes in C order.
const ARRAY: i8 = 1;
/// Deepest nesting of lists and mappings.
const MAX_DEPTH: usize = 64;

fn error(py: Python<'_>, message: String) -> PyErr {
    crate::errors::to_python(py, &nt_memory::Error::Serialization(message))
}

/// Encode JSON types, bytes and `NumPy` arrays as `MessagePack`.
#[pyfunction]
#[pyo3(signature = (value, /))]
pub(crate) fn pack<'py>(py: Python<'py>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Vec::with_capacity(128);
    put(&mut out, value, MAX_DEPTH)?;
    Ok(PyBytes::new(py, &out))
}

fn put(out: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
    let py = value.py();
    if value.is_none() {
        out.push(0xc0);
    } else if let Ok(flag) = value.cast::<PyBool>() {
        out.push(if flag.is_true() { 0xc3 } else { 0xc2 });
    } else if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_str().map_err(|_| error(py, "a text holds lone surrogates; clean it first".into()))?;
        into_vec(write::write_str(out, text))?;
    } else if let Ok(number) = value.cast::<PyFloat>() {
        into_vec(write::write_f64(out, number.value()))?;
    } else if value.is_instance_of::<PyInt>() {
        put_int(out, value)?;
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        into_vec(write::write_bin(out, bytes.as_bytes()))?;
    } else if depth == 0 {
        return Err(error(py, format!("nested more than {MAX_DEPTH} deep; flatten the value")));
    } else if let Ok(list) = value.cast::<PyList>() {
        // An item may run code that changes the list.
        put_items(out, &list.to_tuple(), depth)?;
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        put_items(out, tuple, depth)?;
    } else if let Ok(dict) = value.cast::<PyDict>() {
        put_dict(out, dict, depth)?;
    } else {
        put_numpy(out, value)?;
    }
    Ok(())
}

fn put_int(out: &mut Vec<u8>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Ok(number) = value.extract::<i64>() {
        return into_vec(write::write_sint(out, number));
    }
    let number =
        value.extract::<u64>().map_err(|_| error(value.py(), "an integer leaves 64 bits; store it as text".into()))?;
    into_vec(write::write_uint(out, number))
}

fn put_items(out: &mut Vec<u8>, items: &Bound<'_, PyTuple>, depth: usize) -> PyResult<()> {
    into_vec(write::write_array_len(out, length(items.py(), items.len())?))?;
    items.iter().try_for_each(|item| put(out, &item, depth - 1))
}

fn put_dict(out: &mut Vec<u8>, dict: &Bound<'_, PyDict>, depth: usize) -> PyResult<()> {
    let py = dict.py();
    // A copy, as a value may run code that changes the mapping.
    let items = dict.items();
    into_vec(write::write_map_len(out, length(py, items.len())?))?;
    for item in items.iter() {
        let (key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let Ok(name) = key.cast::<PyString>() else {
            let kind = key.get_type().name()?;
            return Err(error(py, format!("a mapping has a key of type {kind}; keys are text")));
        };
        put(out, name.as_any(), 1)?;
        put(out, &value, depth - 1)?;
    }
    Ok(())
}

fn put_numpy(out: &mut Vec<u8>, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = value.py();
    let numpy = py.import("numpy")?;
    if value.is_instance(&numpy.getattr("generic")?)? {
        // Times would lose their unit, and objects anything.
        let kind: String = value.getattr("dtype")?.getattr("kind")?.extract()?;
        let plain = value.call_method0("item")?;
        let is_number = matches!(kind.as_str(), "b" | "i" | "u" | "f" | "U" | "S");
        return if is_number && !plain.is_exact_instance(&value.get_type()) {
            put(out, &plain, 1)
        } else {
            unknown(value)
        };
    }
    if !value.is_instance(&numpy.getattr("ndarray")?)? {
        return unknown(value);
    }
    // A plain array: a subclass may say one shape and give the bytes of another.
    let value = &numpy.call_method1("asarray", (value,))?;
    let dtype = value.getattr("dtype")?;
    let kind: String = dtype.getattr("kind")?.extract()?;
    if !matches!(kind.as_str(), "b" | "i" | "u" | "f") {
        return Err(error(py, format!("an array has dtype {dtype}; use booleans, integers or floats")));
    }
    let name: String = dtype.getattr("str")?.extract()?;
    let shape: Vec<u64> = value.getattr("shape")?.extract()?;
    let bytes = value.call_method0("tobytes")?;
    let bytes = bytes.cast::<PyBytes>()?.as_bytes();
    let mut head = Vec::with_capacity(2 + name.len() + shape.len() * 8);
    head.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    head.extend_from_slice(name.as_bytes());
    head.push(u8::try_from(shape.len()).unwrap_or(u8::MAX));
    head.extend(shape.iter().flat_map(|n| n.to_le_bytes()));
    into_vec(write::write_ext_meta(out, length(py, head.len() + bytes.len())?, ARRAY))?;
    out.extend_from_slice(&head);
    out.extend_from_slice(bytes);
    Ok(())
}

fn unknown(value: &Bound<'_, PyAny>) -> PyResult<()> {
    Err(error(
        value.py(),
        format!(
            "a {} cannot be stored; use None, bool, int, float, str, bytes, list, dict or a NumPy array",
            value.get_type().name()?
        ),
    ))
}

fn length(py: Python<'_>, length: usize) -> PyResult<u32> {
    u32::try_from(length).map_err(|_| error(py, format!("{length} items are too many for one value")))
}

/// Writing to a `Vec` cannot fail; the error type says otherwise.
fn into_vec<T, E: std::fmt::Debug>(written: Result<T, E>) -> PyResult<()> {
    written.map(|_| ()).map_err(|error| PyTypeError::new_err(format!("{error:?}")))
}

/// Decode what `pack` made.
#[pyfunction]
#[pyo3(signature = (data, /))]
pub(crate) fn unpack<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let mut rest = data;
    // The decoder counts two levels a list, and more a mapping.
    let value = rmpv::decode::read_value_ref_with_max_depth(&mut rest, 3 * MAX_DEPTH)
        .map_err(|cause| error(py, format!("the bytes are no MessagePack of this store: {cause}")))?;
    if !rest.is_empty() {
        return Err(error(py, format!("{} bytes follow the value; they are no MessagePack of this store", rest.len())));
    }
    take(py, &value)
}

fn take<'py>(py: Python<'py>, value: &ValueRef<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        ValueRef::Nil => py.None().into_bound(py),
        ValueRef::Boolean(flag) => PyBool::new(py, *flag).to_owned().into_any(),
        ValueRef::Integer(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => number.into_pyobject(py)?.into_any(),
            (None, number) => number.unwrap_or(0).into_pyobject(py)?.into_any(),
        },
        ValueRef::F32(number) => PyFloat::new(py, f64::from(*number)).into_any(),
        ValueRef::F64(number) => PyFloat::new(py, *number).into_any(),
        ValueRef::String(text) => {
            let text = text.as_str().ok_or_else(|| error(py, "a text is not UTF-8".into()))?;
            PyString::new(py, text).into_any()
        }
        ValueRef::Binary(bytes) => PyBytes::new(py, bytes).into_any(),
        ValueRef::Array(items) => {
            let list = PyList::empty(py);
            items.iter().try_for_each(|item| list.append(take(py, item)?))?;
            list.into_any()
        }
        ValueRef::Map(items) => {
            let dict = PyDict::new(py);
            for (key, item) in items {
                if !matches!(key, ValueRef::String(_)) {
                    return Err(error(py, "a mapping has a key that is no text".into()));
                }
                dict.set_item(take(py, key)?, take(py, item)?)?;
            }
            dict.into_any()
        }
        ValueRef::Ext(ARRAY, bytes) => array(py, bytes)?,
        ValueRef::Ext(kind, _) => return Err(error(py, format!("extension type {kind} is not known"))),
    })
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
