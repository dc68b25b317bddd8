//! Letting go of what only erased versions had: strings, profiles, attributes, commits.

use super::Catalog;
use super::postings::Postings;
use super::profiles::Profile;
use super::words::{Interner, NONE, Symbol};

/// Erased versions that are not worth the work.
const MIN_ERASED: usize = 4096;

/// Strings that move from one interner to another, each when it is first needed.
struct Moved {
    from: Interner,
    numbers: Vec<Symbol>,
}

impl Moved {
    fn new(from: Interner) -> Self {
        Self { numbers: vec![NONE; from.len()], from }
    }

    fn symbol(&mut self, symbol: Symbol, to: &mut Interner) -> Symbol {
        let Some(number) = self.numbers.get_mut(symbol as usize) else { return NONE };
        if *number == NONE {
            *number = to.intern(self.from.name(symbol));
        }
        *number
    }
}

impl Catalog {
    /// Tidy up once as many versions were erased as there are.
    pub(crate) fn tidy_if_due(&mut self) {
        if self.rows.erased > self.rows.len().max(MIN_ERASED) {
            self.tidy();
        }
    }

    /// Keep of all that versions share only what some version has; records, rows and slots stay
    /// where they are.
    pub(super) fn tidy(&mut self) {
        let live: Vec<(u32, u32)> =
            self.entries().flat_map(|entry| entry.versions().map(move |version| (entry.record, version.row))).collect();
        let mut names = Moved::new(std::mem::take(&mut self.names));
        let mut namespaces = Moved::new(std::mem::take(&mut self.namespaces));
        let profiles = std::mem::take(&mut self.rows.profiles);
        let attributes = std::mem::take(&mut self.rows.kept);
        let commits = std::mem::take(&mut self.rows.commits);
        let mut moved_profiles = vec![NONE; profiles.all().len()];
        self.postings = Postings::default();
        for (record, row) in live {
            let at = row as usize;
            let profile = &mut moved_profiles[self.rows.profile[at] as usize];
            if *profile == NONE {
                let old = profiles.get(self.rows.profile[at]);
                let namespace = namespaces.symbol(old.namespace, &mut self.namespaces);
                let mut word = |symbol: Symbol| names.symbol(symbol, &mut self.names);
                *profile = self.rows.profiles.intern(Profile {
                    namespace,
                    kind: word(old.kind),
                    agent_id: word(old.agent_id),
                    symbol: word(old.symbol),
                    regime: word(old.regime),
                    writer: word(old.writer),
                    tags: old.tags.iter().map(|tag| word(*tag)).collect(),
                });
            }
            self.rows.profile[at] = *profile;
            self.rows.profiles.add(*profile, self.rows.visible_at(row));
            let (commit, recorded_at) = commits.get(self.rows.commit[at]);
            self.rows.commit[at] = self.rows.commits.place(commit, recorded_at);
            let place = self.rows.attributes.get(row);
            if place != NONE {
                let to = &mut self.names;
                let copied = self.rows.kept.copy(&attributes, place, |symbol| names.symbol(symbol, to));
                self.rows.attributes.set(row, copied);
            }
            self.post(record, row);
        }
        self.rows.erased = 0;
    }
}
