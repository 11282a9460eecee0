//! Disturbing deploys at random moments: each is hit several times, one after another, and then left in peace.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tollgate_tests::Project;

use crate::database::{Database, Seen};
use crate::running::Running;
use crate::steps::{self, Step};

/// How often the deploys to one database are disturbed before they are left in peace.
const BLOWS: u32 = 8;

/// What is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// `deploy`.
    Up,
    /// `rollback` of everything but the first migration, after a deploy in peace.
    Down,
}

impl Way {
    fn command(self) -> &'static [&'static str] {
        match self {
            Self::Up => &["deploy"],
            Self::Down => &["rollback", "--target", "00_first", "--force"],
        }
    }

    /// How many migrations it is through with.
    fn through(self, seen: &Seen) -> usize {
        match self {
            Self::Up => seen.applied(),
            Self::Down => seen.taken_back(),
        }
    }

    fn contradictions(self, seen: &Seen, steps: &[Step]) -> Vec<String> {
        match self {
            Self::Up => seen.contradictions(steps),
            Self::Down => seen.contradictions_back(steps),
        }
    }

    /// It is through with everything.
    #[track_caller]
    fn assert_complete(self, seen: &Seen, steps: &[Step], place: &str) {
        match self {
            Self::Up => seen.assert_complete(steps, place),
            Self::Down => {
                assert_eq!(seen.contradictions_back(steps), [""; 0], "{place}");
                assert_eq!((seen.taken_back(), seen.applied()), (steps.len() - 1, 1), "{place}");
            }
        }
    }
}

/// One place where deploys are disturbed.
pub(crate) struct Ground<'a, 'cluster> {
    pub(crate) way: Way,
    pub(crate) steps: &'a [Step],
    /// Another empty database.
    pub(crate) fresh: &'a dyn Fn() -> Database<'cluster>,
    /// As the deploys reach it.
    pub(crate) url: &'a dyn Fn(&Database<'_>) -> String,
    /// Disturbs a deploy.
    pub(crate) strike: &'a dyn Fn(&mut Running, &mut StdRng),
    /// Makes everything work again.
    pub(crate) mend: &'a dyn Fn(),
}

/// What all workers of one kind of disturbance share.
pub(crate) struct Tally {
    what: &'static str,
    seed: u64,
    wanted: u32,
    hits: AtomicU32,
    misses: AtomicU32,
    databases: AtomicU64,
    /// Milliseconds from all blows to the end of the deploys that they hit.
    aftermath: AtomicU64,
    failed: AtomicBool,
}

/// Ends the others' work when a worker fails.
struct Alarm<'a>(&'a Tally);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed.store(true, Ordering::SeqCst);
        }
    }
}

impl Tally {
    /// `usual` is how many disturbances there are when nobody says otherwise.
    pub(crate) fn new(what: &'static str, usual: u64) -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let seed = number("TOLLGATE_TEST_SEED").unwrap_or_else(|| u64::from(rand::random::<u32>()));
        let wanted = number("TOLLGATE_TEST_KILLS").unwrap_or(usual);
        println!("{what}: TOLLGATE_TEST_SEED={seed} TOLLGATE_TEST_KILLS={wanted}");
        Self {
            what,
            seed,
            wanted: u32::try_from(wanted).unwrap(),
            hits: AtomicU32::new(0),
            misses: AtomicU32::new(0),
            databases: AtomicU64::new(0),
            aftermath: AtomicU64::new(0),
            failed: AtomicBool::new(false),
        }
    }

    fn goes_on(&self) -> bool {
        self.hits.load(Ordering::SeqCst) < self.wanted && !self.failed.load(Ordering::SeqCst)
    }

    /// Says how it was, and that it was enough.
    pub(crate) fn report(&self) {
        let [hits, misses] = [&self.hits, &self.misses].map(|count| count.load(Ordering::SeqCst));
        println!(
            "{}: {hits} running deploys hit, {misses} done before it, {} databases; a deploy that was hit ended after {} ms; \
             TOLLGATE_TEST_SEED={}",
            self.what,
            self.databases.load(Ordering::SeqCst),
            self.aftermath.load(Ordering::SeqCst) / u64::from(hits.max(1)),
            self.seed
        );
        assert!(hits >= self.wanted);
    }
}

/// Disturbs deploys until all workers together have done so often enough.
pub(crate) fn work(ground: &Ground<'_, '_>, tally: &Tally) {
    let _alarm = Alarm(tally);
    let mut project = Project::new();
    steps::write(&project, ground.steps);
    let mut duel = Duel {
        ground,
        tally,
        expected: String::new(),
        whole: Duration::ZERO,
        idle: Duration::ZERO,
    };
    duel.measure(&mut project);
    while tally.goes_on() {
        let number = tally.databases.fetch_add(1, Ordering::SeqCst);
        duel.database(&mut project, number);
    }
}

/// A worker.
struct Duel<'a, 'cluster> {
    ground: &'a Ground<'a, 'cluster>,
    tally: &'a Tally,
    /// What an undisturbed deploy makes.
    expected: String,
    /// How long one takes.
    whole: Duration,
    /// How long one takes that has nothing to do.
    idle: Duration,
}

impl<'cluster> Duel<'_, 'cluster> {
    fn measure(&mut self, project: &mut Project) {
        let database = self.begin(project);
        for time in [&mut self.whole, &mut self.idle] {
            let ended = Running::start(project, self.ground.way.command()).end();
            assert_eq!(ended.status, Some(0), "undisturbed: {}", ended.text());
            *time = ended.took;
        }
        println!(
            "{}: it takes {:?}, with nothing to do {:?}",
            self.tally.what, self.whole, self.idle
        );
        let steps = self.ground.steps;
        self.ground.way.assert_complete(&database.seen(), steps, "undisturbed");
        self.expected = database.picture();
    }

    /// A database on which everything is as it is before the first blow.
    fn begin(&self, project: &mut Project) -> Database<'cluster> {
        let database = (self.ground.fresh)();
        project.set("DATABASE_URL", &(self.ground.url)(&database));
        if self.ground.way == Way::Down {
            project.succeed(&["deploy"]);
        }
        database
    }

    /// A database whose deploys are disturbed one after another. Its number is all that chance depends on.
    fn database(&mut self, project: &mut Project, number: u64) {
        let mut random = StdRng::seed_from_u64(self.tally.seed.wrapping_add(number));
        let database = self.begin(project);
        let way = self.ground.way;
        let mut story = format!(
            "{}, database {number}, TOLLGATE_TEST_SEED={}\n",
            self.tally.what, self.tally.seed
        );
        let mut through = 0;
        for _ in 0..BLOWS {
            let moment = self.length(through).mul_f64(random.random_range(0.0..1.0));
            if !self.blow(project, moment, &mut random, &mut story) {
                break;
            }
            let seen = database.seen();
            through = way.through(&seen);
            story += &format!("{through} recorded\n");
            let wrong = way.contradictions(&seen, self.ground.steps);
            assert!(wrong.is_empty(), "{story}\n{}", wrong.join("\n"));
        }
        let last = Running::start(project, way.command()).end();
        story += &last.text();
        assert_eq!(last.status, Some(0), "{story}");
        way.assert_complete(&database.seen(), self.ground.steps, &story);
        let found = database.picture();
        assert!(
            found == self.expected,
            "{story}\n{}",
            difference(&self.expected, &found)
        );
    }

    /// How long it takes when so many migrations are through already.
    fn length(&self, through: usize) -> Duration {
        let left = self.ground.steps.len().saturating_sub(through);
        let work = self.whole.saturating_sub(self.idle);
        self.idle + work * u32::try_from(left).unwrap_or(0) / u32::try_from(self.ground.steps.len()).unwrap_or(1)
    }

    /// Starts a deploy and disturbs it at that moment. Says whether it still ran then.
    fn blow(&mut self, project: &Project, moment: Duration, random: &mut StdRng, story: &mut String) -> bool {
        let mut deploy = Running::start(project, self.ground.way.command());
        let hit = deploy.runs_until(moment);
        let blow = Instant::now();
        if hit {
            (self.ground.strike)(&mut deploy, random);
        }
        let ended = deploy.end();
        if hit {
            let after = u64::try_from(blow.elapsed().as_millis()).unwrap_or(0);
            self.tally.aftermath.fetch_add(after, Ordering::SeqCst);
            (self.ground.mend)();
        }
        *story += &format!(
            "after {moment:?}, {}: {}\n",
            if hit { "hit" } else { "missed" },
            ended.text()
        );
        // 101: it panicked.
        assert!(ended.status != Some(101), "{story}");
        assert!(hit || ended.status == Some(0), "{story}");
        let count = if hit { &self.tally.hits } else { &self.tally.misses };
        count.fetch_add(1, Ordering::SeqCst);
        // How long a deploy takes depends on what else the machine does.
        self.whole = if hit {
            self.whole.mul_f64(1.01)
        } else {
            self.whole.mul_f64(0.9)
        };
        hit
    }
}

/// Lines of the one that the other has not, each way.
pub(crate) fn difference(wanted: &str, found: &str) -> String {
    let only = |mark: &'static str, these: &str, those: &str| -> String {
        let mut those: Vec<&str> = those.lines().collect();
        let mut text = String::new();
        for line in these.lines() {
            match those.iter().position(|other| *other == line) {
                Some(at) => drop(those.swap_remove(at)),
                None => text += &format!("{mark}{line}\n"),
            }
        }
        text
    };
    only("- ", wanted, found) + &only("+ ", found, wanted)
}
