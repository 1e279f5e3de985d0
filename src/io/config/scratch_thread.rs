//! Reads the configuration on a separate thread, so that the memory used for parsing is returned to
//! the operating system.
//!
//! Parsed files need several times the memory of the settings read from them. If one thread
//! allocated both, most memory pages would contain parts of both, and the allocator could return
//! hardly any pages to the system. Therefore, the calling thread copies the settings, and the
//! reading thread frees the original.

use std::sync::mpsc::channel;
use std::thread::{Builder, scope};

/// Calls `read` on a separate thread. Returns a copy of the result, made by `copy`, or the error of
/// `read`. If no thread can be spawned, calls `read` on the current thread and returns its result
/// without copying it.
pub(super) fn read<T: Send, E: Send>(
    read: impl Fn() -> Result<T, E> + Sync,
    copy: impl Fn(&T) -> T,
) -> Result<T, E> {
    let read = &read;
    scope(|threads| {
        let (result_sender, result) = channel();
        let (original_sender, original) = channel();
        let reader = Builder::new()
            .name("configuration".to_owned())
            .spawn_scoped(threads, move || {
                // The caller waits for the result, so sending fails only if the caller panicked.
                let _ = result_sender.send(read());
                let _ = original.recv();
            });
        let Ok(reader) = reader else {
            // Could not spawn a thread; read on the current thread.
            return read();
        };
        match result.recv() {
            Ok(Ok(original)) => {
                let copied = copy(&original);
                let _ = original_sender.send(original);
                Ok(copied)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => match reader.join() {
                Err(panic) => std::panic::resume_unwind(panic),
                // Unreachable, because the thread sends a result before it ends.
                Ok(()) => read(),
            },
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_the_result_and_the_error_itself_are_returned() {
        let copied = read(|| Ok::<_, String>(vec![1, 2]), Clone::clone);
        assert_eq!(copied, Ok(vec![1, 2]));
        let refused = read(|| Err::<u8, _>("no".to_owned()), |read| *read);
        assert_eq!(refused, Err("no".to_owned()));
    }

    #[test]
    #[should_panic(expected = "raised by the test")]
    fn a_panic_of_the_reading_thread_is_passed_on() {
        let _: Result<u8, u8> = read(|| panic!("raised by the test"), |read| *read);
    }
}
