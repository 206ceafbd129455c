//! Bytes come in, a gzip file goes out: blocks are compressed side by side, each as a member of its own, which whoever opens the file reads
//! one after the other (<https://www.rfc-editor.org/rfc/rfc1952#page-5>). Memory does not grow with them.

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use vocab::hex;

/// What is compressed at a time.
const BLOCK: usize = 1 << 20;
/// The most that are compressed at once: others have work to do too.
const MOST_THREADS: usize = 4;
/// Three times as fast as the usual one, for a tenth or two more of bytes where data is not of one kind.
const LEVEL: u32 = 1;

/// Compresses all there is, and says how many bytes that was, their SHA-256, and whom it was given to.
pub fn compress<W: Write + Send>(from: &mut dyn Read, to: W) -> io::Result<(u64, String, W)> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    thread::scope(|scope| {
        let (mut blocks, mut members) = (Vec::new(), Vec::new());
        for _ in 0..threads {
            let (give, taken) = sync_channel(1);
            let (done, wanted) = sync_channel(1);
            scope.spawn(move || work(&taken, &done));
            blocks.push(give);
            members.push(wanted);
        }
        let writing = scope.spawn(move || write(&members, to));
        let (mut size, mut hash) = (0, Sha256::new());
        // In turn, so that they come out in the order in which they went in.
        for give in blocks.iter().cycle() {
            let mut block = Vec::with_capacity(BLOCK);
            (&mut *from).take(BLOCK as u64).read_to_end(&mut block)?;
            hash.update(&block);
            size += block.len() as u64;
            let is_last = block.len() < BLOCK;
            // Whoever writes has failed, and says why.
            if give.send(block).is_err() || is_last {
                break;
            }
        }
        drop(blocks);
        let panicked = || io::Error::other("what compresses panicked");
        let to = writing.join().unwrap_or_else(|_| Err(panicked()))?;
        Ok((size, hex(&hash.finalize()), to))
    })
}

fn work(taken: &Receiver<Vec<u8>>, done: &SyncSender<io::Result<Vec<u8>>>) {
    for block in taken {
        if done.send(member(&block)).is_err() {
            return;
        }
    }
}

fn member(block: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(block.len() / 2), Compression::new(LEVEL));
    encoder.write_all(block)?;
    encoder.finish()
}

fn write<W: Write>(members: &[Receiver<io::Result<Vec<u8>>>], mut to: W) -> io::Result<W> {
    for from in members.iter().cycle() {
        // The one whose turn it is has no more where nobody has.
        let Ok(member) = from.recv() else { break };
        to.write_all(&member?)?;
    }
    Ok(to)
}
