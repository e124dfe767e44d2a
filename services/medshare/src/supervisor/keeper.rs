//! Keeps one process as it is wanted: running, or down. A process that dies unasked is reported and started again, with
//! a pause that grows while it keeps dying.

use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::Notice;
use super::board::{Board, State};
use super::child::{Child, Launch, Readiness};

/// What may be asked of a keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Run, if it is down.
    Start,
    /// Stop in order, and stay down.
    Stop,
    /// End at once (SIGKILL), and stay down.
    Kill,
    /// End at once, and come back as after any crash.
    Crash,
    /// Stand still (SIGSTOP).
    Pause,
    /// Go on (SIGCONT).
    Resume,
}

/// An order, and where to say that it was carried out (for [`Order::Start`]: that the process is ready).
pub type Ordered = (Order, Answer);

/// Where an order's outcome is told.
pub type Answer = oneshot::Sender<Result<(), String>>;

/// A process that is still there this long after it was asked to stop is killed.
const STOP_WITHIN: Duration = Duration::from_secs(15);
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// A process that ran this long starts again with the first pause.
const SETTLED_AFTER: Duration = Duration::from_secs(60);
/// The exit code for bad configuration: starting again would not help.
const BAD_CONFIGURATION: i32 = 2;

enum Pause {
    /// Start again now.
    Over,
    /// It was ordered to stay down.
    StayDown,
    /// Nobody can give orders any more.
    Abandoned,
}

/// The task that owns a process.
pub struct Keeper {
    /// The process's name.
    pub name: String,
    /// How to start it.
    pub launch: Launch,
    /// Whether it is started again when it dies.
    pub restarts: bool,
    /// Where its state is shown.
    pub board: Board,
    /// What to do.
    pub orders: mpsc::Receiver<Ordered>,
}

enum End {
    /// Stay down.
    Down,
    /// Died unasked, after running this long.
    Died(Duration),
    /// Nobody can give orders any more.
    Abandoned,
}

impl Keeper {
    /// Keeps the process until nobody can give orders any more.
    pub async fn keep(mut self) {
        let mut pause = PAUSE_FIRST;
        loop {
            let Some(starter) = self.wait_for_start().await else {
                return;
            };
            let mut waiting = Some(starter);
            loop {
                match self.run_once(&mut waiting).await {
                    End::Abandoned => return,
                    End::Down => break,
                    End::Died(ran) => {
                        if ran >= SETTLED_AFTER {
                            pause = PAUSE_FIRST;
                        }
                        if !self.restarts || self.board.state(&self.name) == Some(State::Refused) {
                            break;
                        }
                        match self.pause(pause, &mut waiting).await {
                            Pause::Over => {}
                            Pause::StayDown => break,
                            Pause::Abandoned => return,
                        }
                        pause = (pause * 2).min(PAUSE_MAX);
                        self.board.count_restart(&self.name);
                    }
                }
            }
            if let Some(starter) = waiting {
                let _ = starter.send(Err(format!("{} ended before it was ready", self.name)));
            }
        }
    }

    /// While down, answers every other order at once.
    async fn wait_for_start(&mut self) -> Option<Answer> {
        loop {
            let (order, answer) = self.orders.recv().await?;
            match order {
                Order::Start => return Some(answer),
                Order::Stop | Order::Kill => drop(answer.send(Ok(()))),
                Order::Crash | Order::Pause | Order::Resume => {
                    drop(answer.send(Err(format!("{} is down", self.name))));
                }
            }
        }
    }

    /// Waits before a process that died is started again, unless an order says otherwise.
    async fn pause(&mut self, pause: Duration, starter: &mut Option<Answer>) -> Pause {
        let over = tokio::time::sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return Pause::Over,
                ordered = self.orders.recv() => match ordered {
                    None => return Pause::Abandoned,
                    Some((Order::Start, answer)) => {
                        *starter = Some(answer);
                        return Pause::Over;
                    }
                    Some((Order::Stop | Order::Kill, answer)) => {
                        self.board.ended(&self.name, State::Down);
                        let _ = answer.send(Ok(()));
                        return Pause::StayDown;
                    }
                    Some((Order::Crash | Order::Pause | Order::Resume, answer)) => {
                        let _ = answer.send(Err(format!("{} is down", self.name)));
                    }
                }
            }
        }
    }

    /// Runs the process until its end.
    async fn run_once(&mut self, starter: &mut Option<Answer>) -> End {
        let started = Instant::now();
        let (mut child, mut readiness) = match Child::start(&self.launch) {
            Ok(started) => started,
            Err(error) => {
                self.board.notify(Notice::Died {
                    name: self.name.clone(),
                    how: format!("{error:#}"),
                });
                return End::Died(Duration::ZERO);
            }
        };
        self.board.started(&self.name, child.id());
        let mut ready = false;
        loop {
            tokio::select! {
                line = &mut readiness, if !ready => {
                    ready = true;
                    if let Ok(line) = line {
                        self.became_ready(line, starter);
                    }
                }
                ended = child.ended() => {
                    self.died(ended);
                    // What the process started itself must not outlive it.
                    child.signal(Signal::KILL);
                    return End::Died(started.elapsed());
                }
                ordered = self.orders.recv() => {
                    let Some((order, answer)) = ordered else {
                        self.stop(&mut child).await;
                        return End::Abandoned;
                    };
                    if self.carry_out(order, answer, &mut child, ready, starter).await {
                        return End::Down;
                    }
                }
            }
        }
    }

    /// Whether the process is down after it, and stays so.
    async fn carry_out(
        &self,
        order: Order,
        answer: Answer,
        child: &mut Child,
        ready: bool,
        starter: &mut Option<Answer>,
    ) -> bool {
        match order {
            Order::Start if ready => {}
            Order::Start => {
                *starter = Some(answer);
                return false;
            }
            Order::Stop => self.stop(child).await,
            Order::Kill => {
                child.signal(Signal::KILL);
                let _ = child.ended().await;
                self.board.ended(&self.name, State::Down);
            }
            // The end is seen, and reported, by the loop that runs the process.
            Order::Crash => child.signal(Signal::KILL),
            Order::Pause => child.signal(Signal::STOP),
            Order::Resume => child.signal(Signal::CONT),
        }
        let _ = answer.send(Ok(()));
        matches!(order, Order::Stop | Order::Kill)
    }

    async fn stop(&self, child: &mut Child) {
        child.signal(Signal::CONT);
        child.ask_to_stop();
        if tokio::time::timeout(STOP_WITHIN, child.ended())
            .await
            .is_err()
        {
            self.board.notify(Notice::KilledAtStop {
                name: self.name.clone(),
            });
        }
        child.signal(Signal::KILL);
        let _ = child.ended().await;
        self.board.ended(&self.name, State::Down);
    }

    fn became_ready(&self, line: Readiness, starter: &mut Option<Answer>) {
        self.board.ready(&self.name, line);
        self.board.notify(Notice::Ready {
            name: self.name.clone(),
        });
        if let Some(starter) = starter.take() {
            let _ = starter.send(Ok(()));
        }
    }

    fn died(&self, ended: std::io::Result<std::process::ExitStatus>) {
        let refused = ended
            .as_ref()
            .is_ok_and(|status| status.code() == Some(BAD_CONFIGURATION));
        let how = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
        self.board.ended(
            &self.name,
            if refused { State::Refused } else { State::Died },
        );
        self.board.notify(Notice::Died {
            name: self.name.clone(),
            how,
        });
    }
}
