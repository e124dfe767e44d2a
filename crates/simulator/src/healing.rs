//! The end of a run: everything heals, and everything must be answered.

use std::collections::BTreeSet;

use crate::cluster::{Cluster, Event};
use crate::node::Node;

impl Cluster {
    /// The faults end; now everything must be answered.
    pub(crate) fn heal(&mut self) {
        self.network.heal();
        for index in 0..self.nodes.len() {
            let node = &mut self.nodes[index];
            node.clock_offset = node.clock_offset.clamp(-300_000, 300_000);
            node.killed_after_effects = None;
            node.disk.full_until_us = 0;
            node.disk.unreadable_until_us = 0;
            self.restart(index);
        }
        for client in 0..self.clients.len() {
            if self.clients[client].waiting.is_none() {
                let attempt = self.clients[client].attempt;
                self.schedule(1, Event::ClientActs { client, attempt });
            }
        }
        self.schedule(100_000, Event::CheckConverged);
    }

    /// - 22: after the heal every client is answered, no request waits anywhere, and all correct replicas reach
    ///   one certified height.
    /// - 26: every change of the replica set takes effect: all correct processes reach the last epoch, and its replicas
    ///   have certified blocks in it.
    pub(crate) fn check_converged(&mut self) {
        let idle = self.clients.iter().all(|client| client.waiting.is_none());
        let executed = self
            .summaries()
            .all(|summary| summary.certified == summary.executed && summary.requests == 0);
        let is_over = self.clients_are_done() && idle && executed;
        if is_over && self.is_at_one_height() && self.is_in_last_epoch() {
            self.finished = true;
        } else if self.now > self.plan.faulty_us + self.plan.heal_us {
            let unfinished = self
                .clients
                .iter()
                .filter(|client| client.finished < self.plan.requests);
            let waiting: Vec<usize> = unfinished.map(|client| client.number).collect();
            let (states, epoch) = (self.state_of_nodes(), self.oracle.newest_epoch().epoch);
            self.violate(format!(
                "not converged after the heal; the last epoch is {epoch}; clients waiting: {waiting:?}\n{states}"
            ));
        } else {
            self.schedule(100_000, Event::CheckConverged);
        }
    }

    fn is_at_one_height(&self) -> bool {
        let heights: BTreeSet<u64> = self.lasting().map(|node| node.certified().0).collect();
        heights.len() == 1
    }

    /// The correct processes that go on to the end.
    fn lasting(&self) -> impl Iterator<Item = &Node> {
        let correct = self.nodes.iter().filter(|node| node.is_correct());
        correct.filter(|node| !node.is_stopped)
    }

    fn is_in_last_epoch(&self) -> bool {
        let changes = self.plan.membership.changes.len();
        if changes == 0 {
            return true;
        }
        let last = self.oracle.newest_epoch();
        self.oracle.changes() == changes
            && self
                .lasting()
                .all(|node| node.epoch() == last.epoch && node.is_up())
            && self.oracle.height().0 >= last.first_height.0
    }

    /// Where every process stands, for whoever reads of a violation.
    pub(crate) fn state_of_nodes(&self) -> String {
        let states = self.nodes.iter().map(|node| {
            let summary = node.replica.as_ref().map(pbft::Replica::summary);
            let damaged = if node.is_damaged { " (damaged)" } else { "" };
            let epoch = node.epoch();
            let observes = if node.observer.is_some() {
                " observes"
            } else {
                ""
            };
            format!(
                "{}{:?}{damaged} in epoch {epoch}, at {}{observes}: {summary:?}",
                node.index,
                node.behaviour,
                node.certified()
            )
        });
        states.collect::<Vec<_>>().join("\n")
    }
}
