//! Threads whose work may wait: whoever sends events does not wait for it.

/// How much nicer such a thread is than the others.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Has the calling thread, and those that it starts from now on, step back where there is work for every core. To others it is a wish: where it is not granted, the
/// thread goes on as it is.
#[cfg(target_os = "linux")]
pub(crate) fn step_back() {
    // On Linux the process of number 0 is the calling thread alone.
    let nicer = rustix::process::getpriority_process(None)
        .and_then(|niceness| rustix::process::setpriority_process(None, niceness + NICENESS));
    if let Err(error) = nicer {
        tracing::debug!(%error, "a background thread could not step back");
    }
}

/// Elsewhere niceness is that of the whole process.
#[cfg(not(target_os = "linux"))]
pub(crate) fn step_back() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn only_the_calling_thread_steps_back() {
        let own = || rustix::process::getpriority_process(None).unwrap();
        let before = own();
        let nicer = std::thread::spawn(move || {
            step_back();
            own()
        });
        assert_eq!((nicer.join().unwrap(), own()), ((before + NICENESS).min(19), before));
    }
}
