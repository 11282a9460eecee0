//! Work on a list, shared out among the machine's processors.

use std::num::NonZero;

/// What `work` makes of each item, in order. No thread of its own is begun for fewer than `smallest` items.
pub(crate) fn in_shares<T: Sync, R: Send>(items: &[T], smallest: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    // Asking how many there are takes longer than a small share.
    if items.len() <= smallest {
        return items.iter().map(work).collect();
    }
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(threads).max(smallest);
    let work = &work;
    std::thread::scope(|scope| {
        let mut shares = items.chunks(share);
        let mine = shares.next().unwrap_or_default();
        let others: Vec<_> = shares
            .map(|share| scope.spawn(move || share.iter().map(work).collect::<Vec<_>>()))
            .collect();
        let mut results: Vec<R> = mine.iter().map(work).collect();
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_items() {
        for (length, smallest) in [(0, 1), (1, 1), (7, 100), (100, 7), (101, 1)] {
            let items: Vec<usize> = (0..length).collect();
            let doubled = in_shares(&items, smallest, |item| item * 2);
            assert_eq!(doubled, items.iter().map(|item| item * 2).collect::<Vec<_>>());
        }
    }
}
