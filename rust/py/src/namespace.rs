use nt_memory::Namespace;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::errors::{Plain, guarded_short};

/// Helpers over namespaces: 1 to 8 segments joined by `/`, `swarm/<agent-id>/**` owned by that agent.
#[pyclass(frozen, name = "Namespace", module = "nt_memory._native")]
pub(crate) struct PyNamespace;

#[pymethods]
impl PyNamespace {
    /// Split a valid namespace into its segments.
    #[staticmethod]
    fn parse<'py>(py: Python<'py>, namespace: Plain<&str>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, guarded_short(py, || Namespace::parse(namespace.0))?)
    }

    /// Raise `NamespaceError` for a namespace that is not well formed.
    #[staticmethod]
    fn validate(py: Python<'_>, namespace: Plain<&str>) -> PyResult<()> {
        guarded_short(py, || Namespace::validate(namespace.0))
    }

    /// Build `swarm/<agent-id>/<segments...>`.
    #[staticmethod]
    #[pyo3(signature = (agent_id, *segments))]
    fn build(py: Python<'_>, agent_id: Plain<&str>, segments: Plain<Vec<String>>) -> PyResult<String> {
        let segments: Vec<&str> = segments.0.iter().map(String::as_str).collect();
        guarded_short(py, || Namespace::build(agent_id.0, &segments))
    }

    /// The agent that owns a namespace, or None.
    #[staticmethod]
    fn extract_agent_id(namespace: Plain<&str>) -> Option<&str> {
        Namespace::extract_agent_id(namespace.0)
    }

    /// What follows `swarm/<agent-id>/`, or None.
    #[staticmethod]
    fn extract_key(namespace: Plain<&str>) -> Option<&str> {
        Namespace::extract_key(namespace.0)
    }

    /// Whether the agent owns the namespace.
    #[staticmethod]
    fn belongs_to_agent(namespace: Plain<&str>, agent_id: Plain<&str>) -> bool {
        Namespace::belongs_to_agent(namespace.0, agent_id.0)
    }

    /// The agents that own some of the namespaces, sorted, each once.
    #[staticmethod]
    fn get_agent_ids(namespaces: Plain<Vec<String>>) -> Vec<String> {
        let agents = namespaces.0.iter().filter_map(|namespace| Namespace::extract_agent_id(namespace));
        let sorted: std::collections::BTreeSet<&str> = agents.collect();
        sorted.into_iter().map(str::to_owned).collect()
    }

    /// Those of the namespaces that the agent owns, in their order.
    #[staticmethod]
    fn filter_by_agent(namespaces: Plain<Vec<String>>, agent_id: Plain<&str>) -> Vec<String> {
        namespaces.0.into_iter().filter(|namespace| Namespace::belongs_to_agent(namespace, agent_id.0)).collect()
    }

    /// `swarm/<agent-id>`.
    #[staticmethod]
    fn agent_prefix(py: Python<'_>, agent_id: Plain<&str>) -> PyResult<String> {
        guarded_short(py, || Namespace::agent_prefix(agent_id.0))
    }

    /// Whether a namespace equals a prefix or lies below it, by whole segments.
    #[staticmethod]
    fn has_prefix(namespace: Plain<&str>, prefix: Plain<&str>) -> bool {
        Namespace::has_prefix(namespace.0, prefix.0)
    }
}
