//! Reading on a thread of its own, whose memory goes back to the system as a whole.
//!
//! Documents, spans and unchecked tables take several times the room of what comes of them,
//! and what comes of them lies in between: an allocator could give hardly a page back. So the
//! result is copied, and the original goes with the thread that made it.

use std::sync::mpsc::channel;
use std::thread::{Builder, scope};

/// Reads by `read` and returns a copy of what it read. An error is returned as it is.
pub(super) fn read<T: Send, E: Send>(
    read: impl Fn() -> Result<T, E> + Sync,
    copy: impl Fn(&T) -> T,
) -> Result<T, E> {
    let read = &read;
    scope(|threads| {
        let (give, taken) = channel();
        let (give_back, back) = channel();
        let reading = Builder::new()
            .name("configuration".to_owned())
            .spawn_scoped(threads, move || {
                // Whoever asked waits: nothing of this fails but by a panic of theirs.
                let _ = give.send(read());
                let _ = back.recv();
            });
        let Ok(reading) = reading else {
            // No thread to be had: then in the memory of this one.
            return read();
        };
        match taken.recv() {
            Ok(Ok(original)) => {
                let copied = copy(&original);
                let _ = give_back.send(original);
                Ok(copied)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => match reading.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                // It says something before it ends.
                Ok(()) => read(),
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_comes_back_and_an_error_as_it_is() {
        let read_here = read(|| Ok::<_, String>(vec![1, 2]), Clone::clone);
        assert_eq!(read_here, Ok(vec![1, 2]));
        let refused = read(|| Err::<u8, _>("no".to_owned()), |read| *read);
        assert_eq!(refused, Err("no".to_owned()));
    }

    #[test]
    #[should_panic(expected = "as the test wants it")]
    fn a_panic_is_the_askers_too() {
        let _: Result<u8, u8> = read(|| panic!("as the test wants it"), |read| *read);
    }
}
