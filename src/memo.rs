//! Answers that depend on nothing but a few texts, remembered: heads of handshakes repeat, and comparing one with all that is
//! known takes a while.

use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Answers by the texts that they depend on, at most [`Memo::MOST`]; then all are forgotten, and found again when asked for.
#[derive(Default)]
pub(crate) struct Memo<T>(Mutex<Answers<T>>);

type Answers<T> = HashMap<Box<[u8]>, Arc<T>, RandomState>;

impl<T> Memo<T> {
    /// Answers remembered.
    pub(crate) const MOST: usize = 128;

    /// The answer for these texts: the one that is known, or the one that `find` gives, which may look at nothing else.
    pub(crate) fn get(&self, texts: &[Option<&str>], find: impl FnOnce() -> T) -> Arc<T> {
        let mut key =
            Vec::with_capacity(texts.iter().flatten().map(|text| text.len()).sum::<usize>() + 8 * texts.len());
        for text in texts {
            key.extend_from_slice(&text.map_or(usize::MAX, str::len).to_le_bytes());
            key.extend_from_slice(text.unwrap_or_default().as_bytes());
        }
        if let Some(answer) = self.known().get(&key[..]) {
            return Arc::clone(answer);
        }
        // Unlocked, so that others need not wait: two that find the same find it twice.
        let answer = Arc::new(find());
        let mut known = self.known();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(key.into(), Arc::clone(&answer));
        answer
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Answers<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A copy remembers nothing yet.
impl<T> Clone for Memo<T> {
    fn clone(&self) -> Self {
        Self(Mutex::default())
    }
}

impl<T> fmt::Debug for Memo<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Memo").field(&self.known().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_once_and_belongs_to_its_texts() {
        let memo = Memo::<u32>(Mutex::default());
        let texts = [Some("ab"), Some("c"), None];
        assert_eq!(*memo.get(&texts, || 1), 1);
        assert_eq!(*memo.get(&[Some("a"), Some("bc"), None], || 2), 2);
        assert_eq!(*memo.get(&[Some("ab"), Some("c"), Some("")], || 2), 2);
        assert_eq!(*memo.get(&texts, || 3), 1);
        for number in 0..10 * Memo::<u32>::MOST {
            memo.get(&[Some(&number.to_string())], || 0);
        }
        assert!(memo.known().len() <= Memo::<u32>::MOST);
        assert_eq!(*memo.get(&texts, || 4), 4, "forgotten, and found again");
    }
}
