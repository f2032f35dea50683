//! Dense indices of the core's own tables. A slot means nothing outside the core.

macro_rules! slot {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) struct $name(pub(crate) u32);

        impl $name {
            /// The slot at `index` of its table.
            ///
            /// Panics beyond 2³² entries: no table comes near it.
            pub(crate) fn at(index: usize) -> Self {
                Self(u32::try_from(index).expect("a table has fewer than 2^32 entries"))
            }

            pub(crate) fn index(self) -> usize {
                self.0 as usize
            }
        }
    };
}

slot!(
    /// A topic that was ever named by the application.
    TopicSlot
);
slot!(
    /// A partition of a topic, counted over all topics.
    PartitionSlot
);
slot!(
    /// A broker, or a bootstrap server.
    BrokerSlot
);
slot!(
    /// A batch that is not yet completed.
    BatchSlot
);

/// The topics that a metadata request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// Every topic that is known.
    pub(crate) is_all: bool,
    /// And these.
    pub(crate) topics: std::collections::BTreeSet<TopicSlot>,
}
