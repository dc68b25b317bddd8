//! Payloads to bytes: `MessagePack`, with `NumPy` arrays as an extension type.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use rmp::encode as write;

/// Extension type of an array: dtype, shape, bytes in C order.
pub(crate) const ARRAY: i8 = 1;
/// Deepest nesting of lists and mappings.
pub(crate) const MAX_DEPTH: usize = 64;
/// Most lists, mappings and arrays of a value: one takes a byte in a file and a hundred times that in
/// Python, and a value that holds another twice, and so on, has no end.
pub(crate) const MAX_CONTAINERS: usize = 1 << 20;

pub(crate) fn too_deep(py: Python<'_>) -> PyErr {
    error(py, format!("nested more than {MAX_DEPTH} deep; flatten the value"))
}

pub(crate) fn too_many(py: Python<'_>) -> PyErr {
    error(
        py,
        format!(
            "more than {MAX_CONTAINERS} lists, mappings and arrays; put numbers into one array, or use several values"
        ),
    )
}

pub(crate) fn error(py: Python<'_>, message: String) -> PyErr {
    crate::errors::to_python(py, &nt_memory::Error::Serialization(message))
}

/// Encode JSON types, bytes and `NumPy` arrays as `MessagePack`.
#[pyfunction]
#[pyo3(signature = (value, /))]
pub(crate) fn pack<'py>(py: Python<'py>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let mut out = Packed { bytes: Vec::with_capacity(128), containers: 0 };
    put(&mut out, value, MAX_DEPTH)?;
    Ok(PyBytes::new(py, &out.bytes))
}

/// What is packed so far.
struct Packed {
    bytes: Vec<u8>,
    containers: usize,
}

fn put(out: &mut Packed, value: &Bound<'_, PyAny>, depth: usize) -> PyResult<()> {
    let py = value.py();
    if value.is_none() {
        out.bytes.push(0xc0);
    } else if let Ok(flag) = value.cast::<PyBool>() {
        out.bytes.push(if flag.is_true() { 0xc3 } else { 0xc2 });
    } else if let Ok(text) = value.cast::<PyString>() {
        let text = text.to_str().map_err(|_| error(py, "a text holds lone surrogates; clean it first".into()))?;
        into_vec(write::write_str(&mut out.bytes, text))?;
    } else if let Ok(number) = value.cast::<PyFloat>() {
        into_vec(write::write_f64(&mut out.bytes, number.value()))?;
    } else if value.is_instance_of::<PyInt>() {
        put_int(out, value)?;
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        into_vec(write::write_bin(&mut out.bytes, bytes.as_bytes()))?;
    } else if depth == 0 {
        return Err(too_deep(py));
    } else if out.containers == MAX_CONTAINERS {
        return Err(too_many(py));
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

fn put_int(out: &mut Packed, value: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Ok(number) = value.extract::<i64>() {
        return into_vec(write::write_sint(&mut out.bytes, number));
    }
    let number =
        value.extract::<u64>().map_err(|_| error(value.py(), "an integer leaves 64 bits; store it as text".into()))?;
    into_vec(write::write_uint(&mut out.bytes, number))
}

fn put_items(out: &mut Packed, items: &Bound<'_, PyTuple>, depth: usize) -> PyResult<()> {
    out.containers += 1;
    into_vec(write::write_array_len(&mut out.bytes, length(items.py(), items.len())?))?;
    items.iter().try_for_each(|item| put(out, &item, depth - 1))
}

fn put_dict(out: &mut Packed, dict: &Bound<'_, PyDict>, depth: usize) -> PyResult<()> {
    let py = dict.py();
    out.containers += 1;
    // A copy, as a value may run code that changes the mapping.
    let items = dict.items();
    into_vec(write::write_map_len(&mut out.bytes, length(py, items.len())?))?;
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

fn put_numpy(out: &mut Packed, value: &Bound<'_, PyAny>) -> PyResult<()> {
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
    out.containers += 1;
    let mut head = Vec::with_capacity(2 + name.len() + shape.len() * 8);
    head.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    head.extend_from_slice(name.as_bytes());
    head.push(u8::try_from(shape.len()).unwrap_or(u8::MAX));
    head.extend(shape.iter().flat_map(|n| n.to_le_bytes()));
    into_vec(write::write_ext_meta(&mut out.bytes, length(py, head.len() + bytes.len())?, ARRAY))?;
    out.bytes.extend_from_slice(&head);
    out.bytes.extend_from_slice(bytes);
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
