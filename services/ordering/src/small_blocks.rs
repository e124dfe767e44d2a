//! Small blocks, which the core's thread executes and delivers itself when nothing waits for those who do it otherwise: part of the
//! core's thread.

use tokio::sync::mpsc::UnboundedReceiver;

use crate::core::{Core, CoreError, Heard, Performers};
use crate::delivery::Parcel;
use crate::worker;

impl Core {
    /// Has everything executed that is to be: a small block here, when execution is idle, or by its thread.
    pub(crate) fn execute_tasks(
        &mut self,
        inbox: &mut UnboundedReceiver<Heard>,
    ) -> Result<(), CoreError> {
        let execution = self.performers.execution.clone();
        while let Some(task) = self.tasks.pop_front() {
            let idle = task.is_small().then(|| execution.idle()).flatten();
            let idle = idle.filter(|runner| runner.waits_for_nothing());
            let Some(mut runner) = idle else {
                execution.give(task);
                continue;
            };
            // What its thread told before comes first, and is in the inbox: the thread is at nothing now.
            for _ in 0..inbox.len() {
                match inbox.try_recv() {
                    Ok(heard) => self.hear(heard)?,
                    Err(_) => break,
                }
            }
            let mut told = Vec::new();
            let result = runner.take(task, &mut |what| told.push(what));
            drop(runner);
            for told in told {
                self.hear(Heard::Told(told))?;
            }
            if let Err(error) = result {
                self.hear(Heard::of_failed_execution(&error))?;
            }
        }
        Ok(())
    }

    /// Has certified blocks delivered, here or by delivery's thread.
    pub(crate) fn deliver_parcels(&mut self) -> Result<(), CoreError> {
        while let Some((height, certificate)) = self.parcels.pop_front() {
            let Performers {
                delivery, outbound, ..
            } = &self.performers;
            let is_small = self
                .recent
                .get(height.0)
                .is_some_and(|recent| worker::is_small(recent.bodies.len()));
            let result = match is_small.then(|| delivery.idle()).flatten() {
                Some(mut delivery) => delivery.certified(height, certificate, outbound),
                None => {
                    delivery.give(Parcel::Certified(height, certificate));
                    Ok(())
                }
            };
            if let Err(error) = result {
                return Err(self.stop(error.to_string(), None));
            }
        }
        Ok(())
    }
}
