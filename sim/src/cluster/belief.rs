//! What a broker takes for true that lags behind the cluster.

use std::collections::BTreeMap;

use super::metadata::refused;
use crate::codec::{MetadataBroker, MetadataTopic, TopicSelector, error_code};

/// The cluster as a broker saw it last.
#[derive(Debug)]
pub(super) struct Belief {
    pub(super) brokers: Vec<MetadataBroker>,
    pub(super) topics: BTreeMap<String, MetadataTopic>,
}

impl Belief {
    /// The answer to a request for these topics, or for all. Permissions do not lag: what is
    /// hidden from the producer is told as such.
    pub(super) fn describe(
        &self,
        selectors: Option<&[TopicSelector]>,
        is_hidden: impl Fn(&str) -> bool,
    ) -> Vec<MetadataTopic> {
        let Some(selectors) = selectors else {
            let seen = self.topics.iter().filter(|(name, _)| !is_hidden(name));
            return seen.map(|(_, topic)| topic.clone()).collect();
        };
        let answers = selectors.iter().map(|selector| match &selector.name {
            Some(name) if is_hidden(name) => {
                refused(error_code::TOPIC_AUTHORIZATION_FAILED, Some(name))
            }
            Some(name) => self
                .topics
                .get(name)
                .cloned()
                .unwrap_or_else(|| refused(error_code::UNKNOWN_TOPIC_OR_PARTITION, Some(name))),
            None => {
                let is_it = |topic: &&MetadataTopic| topic.topic_id == selector.topic_id;
                let found = self.topics.values().find(is_it).cloned();
                found.unwrap_or_else(|| MetadataTopic {
                    topic_id: selector.topic_id,
                    ..refused(error_code::UNKNOWN_TOPIC_ID, None)
                })
            }
        });
        answers.collect()
    }
}
