//! What the engine stores and counts, and the faults that a test has ordered.

use super::simulation::{Simulation, Workers};
use bazel_remote_apis::build::bazel::remote::execution::v2::{ActionResult, Digest};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tonic::{Code, Status};

/// What an engine says that it offers.
#[derive(Debug, Clone)]
pub struct Offer {
    /// Numbers of digest functions: 1 is SHA256.
    pub digest_functions: Vec<i32>,
    /// 0: nothing said.
    pub max_batch_bytes: i64,
    /// Whether zstd is offered.
    pub zstd: bool,
    /// Whether clients may leave results.
    pub updates: bool,
    /// Whether actions are executed.
    pub executes: bool,
    /// The instance that is served.
    pub instance: String,
    /// Workers that run nothing.
    pub simulation: Option<Simulation>,
    /// How it says that it does not have the result of an action.
    pub absent_result: Code,
    /// And that an action lacks a blob.
    pub absent_blob: Code,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            digest_functions: vec![1],
            max_batch_bytes: 0,
            zstd: false,
            updates: true,
            executes: true,
            instance: String::new(),
            simulation: None,
            absent_result: Code::NotFound,
            absent_blob: Code::FailedPrecondition,
        }
    }
}

/// How an engine fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not at all.
    None,
    /// So many calls end with this status.
    Storm(Code, usize),
    /// Whoever calls is turned away, with the headers that were sent in the words.
    Echo,
    /// Every blob has a byte changed when it is read.
    WrongBytes,
    /// After so many calls all connections are cut, and nobody listens any more.
    Cut(usize),
    /// Any content is taken for any digest.
    Credulous,
    /// Calls get no answer.
    Silence,
    /// Actions end with success and without an output.
    NoOutput,
    /// No action begins.
    Queue,
    /// No action begins until it fails in another way, or not at all.
    Held,
    /// So many actions begin and do not end.
    Stuck(usize),
    /// After so many questions for results the next is answered only when so many blobs are here.
    Curious {
        /// Questions that are answered at once.
        answers: usize,
        /// Blobs.
        blobs: usize,
    },
    /// Who asks for an execution hears nothing at all.
    Mute,
    /// The stream of an execution ends when it has begun.
    LostStreams,
    /// Every command fails.
    BrokenWorker,
    /// The result of an action is that of another one.
    Swapped,
    /// So many actions find that all blobs have gone since they were asked for.
    Evicting(usize),
    /// All blobs go, once.
    Forget,
    /// The engine is restarted, with what it had or without.
    Restart {
        /// Whether it keeps blobs and results.
        keeps: bool,
    },
    /// Its workers end while they work, and this is said of each action.
    Killed(Code),
    /// Compilers are killed, and leave half an object.
    KilledCompiler,
    /// No worker has the properties that are asked for.
    Refused,
    /// Whoever waits for an action is told at once that this has taken too long.
    Impatient,
    /// Its clock is wrong by so many seconds, and stands back by as many while an action runs.
    Clock(i64),
}

/// What a call is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Answer,
    Cut,
    Restart,
    Hang,
}

#[derive(Debug)]
pub(super) struct Store {
    pub(super) offer: Offer,
    pub(super) workers: Option<Arc<Workers>>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    blobs: BTreeMap<String, Vec<u8>>,
    results: BTreeMap<String, ActionResult>,
    calls: BTreeMap<&'static str, usize>,
    fault: Fault,
    plan: Option<(Range<usize>, Fault)>,
    /// The result of every action, none of which is run.
    answer: Option<ActionResult>,
    /// All calls.
    total: usize,
    headers: String,
    /// The sizes of blobs that came in.
    distinct: BTreeMap<String, usize>,
    received: usize,
    sent: usize,
}

impl State {
    /// What was planned for this call.
    fn next_fault(&mut self) {
        let number = self.total;
        self.total += 1;
        if let Some((calls, fault)) = &self.plan {
            if number == calls.start {
                self.fault = *fault;
            }
            if number == calls.end {
                self.fault = Fault::None;
            }
        }
    }
}

impl Store {
    pub(super) fn new(offer: Offer) -> Self {
        let state = State {
            blobs: BTreeMap::new(),
            results: BTreeMap::new(),
            calls: BTreeMap::new(),
            fault: Fault::None,
            plan: None,
            answer: None,
            total: 0,
            headers: String::new(),
            distinct: BTreeMap::new(),
            received: 0,
            sent: 0,
        };
        let workers = offer.simulation.map(|simulation| Arc::new(Workers::new(simulation)));
        Self { offer, workers, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_fault(&self, fault: Fault) {
        self.lock().fault = fault;
    }

    pub(super) fn plan(&self, calls: Range<usize>, fault: Fault) {
        self.lock().plan = Some((calls, fault));
    }

    pub(super) fn set_answer(&self, answer: ActionResult) {
        self.lock().answer = Some(answer);
    }

    pub(super) fn answer(&self) -> Option<ActionResult> {
        self.lock().answer.clone()
    }

    pub(super) fn has_failed(&self) -> bool {
        let state = self.lock();
        state.plan.as_ref().is_none_or(|(calls, _)| state.total > calls.start)
    }

    pub(super) fn take_over(&self, other: &Self) {
        let (blobs, results) = {
            let other = other.lock();
            (other.blobs.clone(), other.results.clone())
        };
        let mut state = self.lock();
        (state.blobs, state.results) = (blobs, results);
    }

    pub(super) fn forget_blobs(&self) {
        self.lock().blobs.clear();
    }

    pub(super) fn retain_blobs(&self, mut keep: impl FnMut() -> bool) {
        self.lock().blobs.retain(|_, _| keep());
    }

    pub(super) fn calls(&self, method: &str) -> usize {
        self.lock().calls.get(method).copied().unwrap_or(0)
    }

    pub(super) fn take_traffic(&self) -> (usize, usize) {
        let mut state = self.lock();
        (std::mem::take(&mut state.received), std::mem::take(&mut state.sent))
    }

    pub(super) fn size(&self) -> (usize, usize) {
        let state = self.lock();
        (state.blobs.len(), state.results.len())
    }

    pub(super) fn last_headers(&self) -> String {
        self.lock().headers.clone()
    }

    /// Counts a call, and says what becomes of it.
    pub(super) fn called(&self, method: &'static str, instance: &str, headers: String) -> Result<Next, Status> {
        let mut state = self.lock();
        *state.calls.entry(method).or_default() += 1;
        state.headers = headers;
        state.next_fault();
        match state.fault {
            Fault::Storm(code, left) if left > 0 => {
                state.fault = Fault::Storm(code, left - 1);
                return Err(Status::new(code, "a storm"));
            }
            Fault::Cut(0) => return Ok(Next::Cut),
            Fault::Cut(left) => state.fault = Fault::Cut(left - 1),
            Fault::Silence => return Ok(Next::Hang),
            Fault::Echo => {
                let words = state.headers.replace("Bearer", "");
                return Err(Status::unauthenticated(format!("not with {} or {words}", state.headers)));
            }
            Fault::Forget => {
                state.blobs.clear();
                state.fault = Fault::None;
            }
            Fault::Restart { keeps } => {
                if !keeps {
                    state.blobs.clear();
                    state.results.clear();
                }
                state.fault = Fault::None;
                return Ok(Next::Restart);
            }
            _ => {}
        }
        if instance != self.offer.instance {
            return Err(Status::invalid_argument(format!("unknown instance `{instance}`")));
        }
        Ok(Next::Answer)
    }

    /// How the next execution fails.
    pub(super) fn execution_fault(&self) -> Fault {
        let mut state = self.lock();
        let fault = state.fault;
        match fault {
            Fault::Evicting(left) => state.fault = if left > 1 { Fault::Evicting(left - 1) } else { Fault::None },
            Fault::Stuck(left) => state.fault = if left > 1 { Fault::Stuck(left - 1) } else { Fault::None },
            _ => {}
        }
        fault
    }

    /// Whether this question for a result, the so-manieth, has to wait.
    pub(super) fn is_curious(&self, number: usize) -> bool {
        let state = self.lock();
        matches!(state.fault, Fault::Curious { answers, blobs } if number > answers && state.blobs.len() < blobs)
    }

    /// Whether actions are kept waiting.
    pub(super) fn holds(&self) -> bool {
        self.lock().fault == Fault::Held
    }

    /// A blob for the engine's own use.
    pub(super) fn peek(&self, hash: &str) -> Option<Vec<u8>> {
        self.lock().blobs.get(hash).cloned()
    }

    /// Keeps what an action has made.
    pub(super) fn keep(&self, bytes: Vec<u8>) -> Digest {
        let digest = Digest { hash: sha256(&bytes), size_bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX) };
        self.lock().blobs.insert(digest.hash.clone(), bytes);
        digest
    }

    pub(super) fn distinct_bytes(&self) -> usize {
        self.lock().distinct.values().sum()
    }

    pub(super) fn has(&self, hash: &str) -> bool {
        self.lock().blobs.contains_key(hash)
    }

    pub(super) fn get(&self, hash: &str) -> Option<Vec<u8>> {
        let mut state = self.lock();
        let mut bytes = state.blobs.get(hash)?.clone();
        state.sent += bytes.len();
        if state.fault == Fault::WrongBytes
            && let Some(byte) = bytes.last_mut()
        {
            *byte ^= 1;
        }
        Some(bytes)
    }

    pub(super) fn put(&self, hash: &str, bytes: Vec<u8>) -> Result<(), Status> {
        let found = sha256(&bytes);
        let is_credulous = self.lock().fault == Fault::Credulous;
        let found = if is_credulous { hash.to_owned() } else { found };
        if found != hash {
            return Err(Status::invalid_argument(format!("{hash} has the content of {found}")));
        }
        let mut state = self.lock();
        state.received += bytes.len();
        state.distinct.insert(found.clone(), bytes.len());
        state.blobs.insert(found, bytes);
        Ok(())
    }

    pub(super) fn result(&self, hash: &str) -> Option<ActionResult> {
        let state = self.lock();
        let other = || state.results.iter().find(|(key, _)| *key != hash).map(|(_, result)| result);
        let own = state.results.get(hash);
        if state.fault == Fault::Swapped { own.and_then(|_| other()).cloned() } else { own.cloned() }
    }

    pub(super) fn put_result(&self, hash: String, result: ActionResult) -> Result<(), Status> {
        let mut state = self.lock();
        let named = result.output_files.iter().filter_map(|file| file.digest.as_ref());
        if let Some(gap) = named.into_iter().find(|digest| !state.blobs.contains_key(&digest.hash)) {
            return Err(Status::failed_precondition(format!("the result names {}, which is not here", gap.hash)));
        }
        state.results.insert(hash, result);
        Ok(())
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
