//! Planning of records: versions, settlements, forgets.

use super::ops::Answer;
use super::plan::{Effect, Planned, Planner, Row, Staged};
use super::state::NamespaceState;
use super::sweep::{content_rows, erase_tombstone, erase_versions};
use crate::catalog::Version;
use crate::embedding::Embedding;
use crate::error::{Error, Result, value_error};
use crate::keys;
use crate::namespace::Namespace;
use crate::record::{self, Body, Meta, MetaOutcome, Outcome, Record, validate_id, validate_outcome};
use crate::table::{Matrix, Table};

/// What a batch finds of a record.
struct Known {
    /// Order of the greatest version.
    latest: (i64, i64, u32),
    /// Greatest version number.
    last: u32,
    /// Last commit that wrote to it.
    commit: u64,
}

impl Planner<'_> {
    /// What there is of a record; `None` where there is nothing, or all of it lies behind the horizon.
    fn known(&self, id: &str) -> Result<Option<Known>> {
        if self.is_staged_forgotten(id) {
            return Err(forgotten(id));
        }
        let mut orders: Vec<_> = self.planned(id).map(|planned| planned.order).collect();
        let mut commit = self.planned(id).map(|planned| planned.commit).max().unwrap_or_default();
        if !self.is_purged(id) {
            let shared = self.inner.shared.read();
            if let Some(entry) = shared.catalog.entry(id) {
                let state = self.namespace_in(&shared, entry.namespace());
                let horizon = state.and_then(|state| state.horizon_at(self.now));
                if orders.is_empty() && horizon.is_some_and(|horizon| entry.is_erased(horizon)) {
                    return Ok(None);
                }
                if entry.forgotten() {
                    return Err(forgotten(id));
                }
                for version in entry.versions() {
                    orders.push(version.order());
                    commit = commit.max(version.commit());
                }
            }
        }
        let latest = orders.iter().max().copied();
        let last = orders.iter().map(|order| order.2).max();
        Ok(latest.zip(last).map(|(latest, last)| Known { latest, last, commit }))
    }

    /// An id that no record has, and none had that was forgotten.
    fn fresh_id(&self) -> Result<String> {
        loop {
            let id = self.inner.ids.next(&self.inner.clock)?;
            match self.known(&id) {
                Ok(None) => return Ok(id),
                Ok(Some(_)) | Err(Error::Forgotten(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) fn expect_new(&self, id: &str) -> Result<Answer> {
        validate_id(id)?;
        match self.known(id)? {
            None => Ok(Answer::None),
            Some(_) => {
                Err(Error::Conflict(format!("there is a record {id} already; use another id, or leave out ExpectNew")))
            }
        }
    }

    pub(super) fn expect_unchanged(&self, ids: &[String], commit: u64) -> Result<Answer> {
        for id in ids {
            validate_id(id)?;
            let known = self.known(id)?.ok_or_else(|| not_found(id))?;
            if known.commit > commit {
                return Err(Error::Conflict(format!(
                    "record {id} was written to after commit {commit}; read it again and retry"
                )));
            }
        }
        Ok(Answer::None)
    }

    pub(super) fn write(&mut self, record: &Record) -> Result<Answer> {
        self.ensure_memory(0)?;
        self.write_checked(record).map(Answer::Id)
    }

    /// Each row as a record of its own; what is wrong is told with its row.
    pub(super) fn write_many(&mut self, table: &Table) -> Result<Answer> {
        table.check()?;
        self.ensure_memory(self.code_bytes(table)?)?;
        let ids = (0..table.rows).map(|row| self.write_checked(&table.record(row)).map_err(|error| error.in_row(row)));
        ids.collect::<Result<_>>().map(Answer::Ids)
    }

    fn write_checked(&mut self, record: &Record) -> Result<String> {
        record.validate()?;
        Namespace::validate(&record.namespace)?;
        self.ensure_fence(&record.namespace)?;
        // They are brought to unit length again when they are applied: that is less than to keep them.
        self.inner.shared.read().catalog.units(&record.embeddings)?;
        let id = if record.id.is_empty() { self.fresh_id()? } else { record.id.clone() };
        let known = self.known(&id)?;
        if let Some(known) = &known {
            let meta = self.meta(&id, known.latest.2)?;
            if (&meta.namespace, &meta.kind) != (&record.namespace, &record.kind) {
                return value_error(format!(
                    "record {id} is a {:?} in {:?}; a later version keeps kind and namespace",
                    meta.kind, meta.namespace
                ));
            }
        } else {
            self.purge(&id)?;
        }
        let number = known.map_or(0, |known| known.last + 1);
        let mut meta = self.meta_of(record, number);
        meta.body = self.body_rows(&id, record, number)?.then_some(number);
        let embeddings = record.embeddings.clone();
        let Some(outcome) = &record.outcome else {
            self.add_version(&id, meta, embeddings)?;
            return Ok(id);
        };
        let known_at = outcome_time(&meta, outcome, self.now)?;
        if known_at == meta.known_at {
            let settled = settled(meta, outcome, known_at, number);
            self.outcome_row(&id, outcome, number);
            self.add_version(&id, settled, embeddings)?;
        } else {
            self.add_version(&id, meta.clone(), embeddings)?;
            self.outcome_row(&id, outcome, number + 1);
            self.add_version(&id, settled(meta, outcome, known_at, number + 1), Vec::new())?;
        }
        Ok(id)
    }

    pub(super) fn settle(&mut self, id: &str, outcome: &Outcome, revise: bool) -> Result<Answer> {
        validate_id(id)?;
        validate_outcome(outcome)?;
        let known = self.known(id)?.ok_or_else(|| not_found(id))?;
        let base = self.meta(id, known.latest.2)?;
        self.ensure_fence(&base.namespace)?;
        if let Some(before) = base.outcome.filter(|_| !revise) {
            return Err(Error::Settled(format!(
                "record {id} has an outcome (reward {}); pass revise=True to correct it",
                before.reward
            )));
        }
        let known_at = outcome_time(&base, outcome, self.now)?;
        if known_at < base.visible_at {
            return value_error(format!(
                "the revised outcome of {id} would be known at {known_at}, before the one it corrects ({}); give a later known_at",
                base.visible_at
            ));
        }
        let number = known.last + 1;
        self.outcome_row(id, outcome, number);
        let mut meta = settled(base, outcome, known_at, number);
        meta.recorded_at = self.now;
        meta.commit = self.number;
        self.add_version(id, meta, Vec::new())?;
        Ok(Answer::Number(i64::from(number)))
    }

    pub(super) fn forget(&mut self, ids: &[String]) -> Result<Answer> {
        let mut count = 0;
        for id in ids {
            validate_id(id)?;
            let last = match self.known(id) {
                Err(Error::Forgotten(_)) => continue,
                known => known?.ok_or_else(|| not_found(id))?.last,
            };
            for number in 0..=last {
                let rows = self.stored_meta(id, number)?.map(|meta| content_rows(id, &meta)).unwrap_or_default();
                self.own.rows.extend(rows.into_iter().map(|row| (row, None)));
            }
            self.own.rows.insert(keys::named(keys::TOMBSTONE, id), Some(record::encode(&self.now)?.into()));
            self.own.counts.tombstones += 1;
            self.own.forgotten.insert(id.clone());
            self.own.effects.push(Effect::Forget(id.clone()));
            count += 1;
        }
        Ok(Answer::Number(count))
    }

    fn stored_meta(&self, id: &str, number: u32) -> Result<Option<Meta>> {
        let row = self.get(&keys::version(keys::META, id, number))?;
        row.map(|row| record::decode(&row, "version")).transpose()
    }

    /// Remove what retention would remove later, so that an id can start anew.
    fn purge(&mut self, id: &str) -> Result<()> {
        let shared = self.inner.shared.read();
        let Some(entry) = shared.catalog.entry(id).filter(|_| !self.is_purged(id)) else { return Ok(()) };
        let name = entry.namespace().to_owned();
        let commit = entry.versions().map(Version::commit).max().unwrap_or(0);
        let numbers: Vec<u32> = entry.versions().map(Version::number).collect();
        let was_forgotten = entry.forgotten();
        drop(shared);
        let mut work = Staged::default();
        erase_versions(&mut work, id, &numbers, &[], &|number| self.stored_meta(id, number))?;
        if was_forgotten {
            erase_tombstone(&mut work, id);
        }
        self.own.merge(work);
        self.own.purged.insert(id.to_owned());
        self.own.effects.push(Effect::Erase(id.to_owned(), numbers));
        if let Some(state) = self.namespace(&name) {
            self.set_namespace(name, NamespaceState { commit: state.commit.max(commit), ..state })?;
        }
        Ok(())
    }

    /// Whether there is room in memory for records, and for so many bytes of codes that come with them.
    fn ensure_memory(&self, coming: usize) -> Result<()> {
        let (bytes, most) = (self.inner.shared.read().catalog.used_bytes(), self.inner.max_memory_bytes());
        if bytes > most {
            return Err(Error::Vector(format!(
                "records and their codes take {bytes} bytes in memory, over max_memory_bytes = {most}; raise it, forget \
                 records, or configure a retention"
            )));
        }
        if bytes + coming > most {
            return Err(Error::Vector(format!(
                "records and their codes take {bytes} bytes in memory, and the codes of this table {coming} more, over \
                 max_memory_bytes = {most}; raise it, or write fewer rows"
            )));
        }
        Ok(())
    }

    /// Bytes that the codes of a table take at least: those of the smallest code.
    fn code_bytes(&self, table: &Table) -> Result<usize> {
        let shared = self.inner.shared.read();
        let bytes = |(name, matrix): &(String, Matrix)| shared.catalog.space(name).map(|_| matrix.numbers.len());
        table.embeddings.iter().map(bytes).sum()
    }

    pub(crate) fn meta(&self, id: &str, number: u32) -> Result<Meta> {
        self.stored_meta(id, number)?.ok_or_else(|| {
            Error::Corruption(format!("version {number} of record {id} is missing; run verify() and restore a backup"))
        })
    }

    fn meta_of(&self, record: &Record, number: u32) -> Meta {
        let ttl = self.namespace(&record.namespace).and_then(|state| state.options.ttl);
        Meta {
            namespace: record.namespace.clone(),
            kind: record.kind.clone(),
            agent_id: record.agent_id.clone(),
            symbol: record.symbol.clone(),
            regime: record.regime.clone(),
            writer: record.writer.clone(),
            event_time: record.event_time,
            known_at: record.known_at,
            recorded_at: self.now,
            visible_at: record.known_at,
            expires_at: record.expires_at.or_else(|| Some(record.known_at.saturating_add(ttl?))),
            commit: self.number,
            version: number,
            importance: record.importance,
            confidence: record.confidence,
            trust: record.trust,
            outcome: None,
            tags: record.tags.clone(),
            attributes: record.attributes.clone(),
            embeddings: record.embeddings.iter().map(|(space, _)| (space.clone(), number)).collect(),
            body: None,
        }
    }

    /// Rows of text, payload and vectors; whether there was text or payload.
    fn body_rows(&mut self, id: &str, record: &Record, number: u32) -> Result<bool> {
        let body = Body {
            text: record.text.clone(),
            source: record.source.clone(),
            parents: record.parents.clone(),
            payload: record.payload.clone(),
        };
        let has_body = body != Body::default();
        if has_body {
            self.own.rows.insert(keys::version(keys::BODY, id, number), Some(record::encode(&body)?.into()));
        }
        for (space, embedding) in &record.embeddings {
            let numbers = Row::Numbers(embedding.clone());
            self.own.rows.insert(keys::embedding(id, number, space), Some(numbers));
        }
        Ok(has_body)
    }

    fn outcome_row(&mut self, id: &str, outcome: &Outcome, number: u32) {
        if let Some(payload) = &outcome.payload {
            self.own.rows.insert(keys::version(keys::OUTCOME, id, number), Some(payload.clone().into()));
        }
    }

    fn add_version(&mut self, id: &str, meta: Meta, embeddings: Vec<(String, Embedding)>) -> Result<()> {
        self.own.rows.insert(keys::version(keys::META, id, meta.version), Some(record::encode(&meta)?.into()));
        let order = (meta.visible_at, meta.recorded_at, meta.version);
        let planned = Planned { order, commit: self.number };
        self.own.versions.entry(id.to_owned()).or_default().push(planned);
        self.own.counts.versions += 1;
        for (space, _) in &embeddings {
            *self.own.embeddings.entry(space.clone()).or_default() += 1;
        }
        self.own.effects.push(Effect::Version { id: id.to_owned(), meta: Box::new(meta), embeddings });
        Ok(())
    }
}

/// When an outcome was known: as given, or at the commit, and never before its record.
fn outcome_time(base: &Meta, outcome: &Outcome, now: i64) -> Result<i64> {
    match outcome.known_at {
        None => Ok(now.max(base.known_at)),
        Some(known_at) if known_at < base.known_at => value_error(format!(
            "the outcome's known_at ({known_at}) lies before the record's ({}); an outcome cannot be known before its record",
            base.known_at
        )),
        Some(known_at) => Ok(known_at),
    }
}

fn settled(base: Meta, outcome: &Outcome, known_at: i64, number: u32) -> Meta {
    Meta {
        visible_at: known_at,
        version: number,
        outcome: Some(MetaOutcome { reward: outcome.reward, known_at, has_payload: outcome.payload.is_some() }),
        ..base
    }
}

pub(crate) fn forgotten(id: &str) -> Error {
    Error::Forgotten(format!("record {id} was forgotten; its content is gone, use a new id"))
}

pub(crate) fn not_found(id: &str) -> Error {
    Error::NotFound(format!("there is no record {id}; check the id, or whether retention has passed it"))
}
