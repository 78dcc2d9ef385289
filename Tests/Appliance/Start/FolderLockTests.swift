import AppendLog
import Foundation
import TestSupport
import Testing

@testable import Appliance

@Suite("The folder's lock")
struct FolderLockTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private var note: String { folder.file("holder") }

    @Test("waits for a command, and says for which", arguments: [true, false])
    func command(isDaemon: Bool) throws {
        let command = try FolderLock(folder.path)
        var told: [FolderHolder] = []
        let lock = try FolderLock(folder.path, isDaemon: isDaemon) { holder in
            told.append(holder)
            command.release()
        }
        #expect(told == [FolderHolder.here(isDaemon: false)])
        // Released by now, it must not take back what the other one has noted.
        command.release()
        #expect(FolderHolder(notedIn: folder.path) == .here(isDaemon: isDaemon))
        lock.release()
        #expect(!FileManager.default.fileExists(atPath: note))
    }

    @Test("waits for no command longer than its patience")
    func patience() throws {
        let command = try FolderLock(folder.path)
        var toldCount = 0
        #expect(throws: LogError.locked(path: folder.path, by: getpid())) {
            _ = try FolderLock(folder.path, isDaemon: true, patience: .milliseconds(100)) { _ in
                toldCount += 1
            }
        }
        #expect(toldCount == 1)
        command.release()
    }

    /// A child that is being started has all that its parent has, until its program is loaded.
    @Test("waits a moment for who has let go and left no note", arguments: [true, false])
    func unnoted(isDaemon: Bool) throws {
        let descriptor = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try #require(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        DispatchQueue.global().asyncAfter(deadline: .now() + 0.1) { close(descriptor) }
        var toldCount = 0
        let lock = try FolderLock(folder.path, isDaemon: isDaemon) { _ in toldCount += 1 }
        #expect(toldCount == 0)
        lock.release()
    }

    @Test("beside a daemon gives up at once, and names it", arguments: [true, false])
    func daemon(isDaemon: Bool) throws {
        let daemon = try FolderLock(folder.path, isDaemon: true)
        var toldCount = 0
        let began = ContinuousClock.now
        #expect(throws: LogError.locked(path: folder.path, by: getpid())) {
            _ = try FolderLock(folder.path, isDaemon: isDaemon) { _ in toldCount += 1 }
        }
        #expect(ContinuousClock.now - began < .seconds(8))
        #expect(toldCount == 0)
        daemon.release()
    }

    @Test(
        "a note that was left behind, or is none, names nobody",
        arguments: ["", "daemon", "0 daemon tillbox run", "-1 daemon x", "2147483647 daemon x"])
    func left(text: String) throws {
        let daemon = try FolderLock(folder.path, isDaemon: true)
        try text.write(toFile: note, atomically: true, encoding: .utf8)
        #expect(FolderHolder(notedIn: folder.path) == nil)
        #expect(throws: LogError.locked(path: folder.path, by: 0)) {
            _ = try FolderLock(folder.path)
        }
        daemon.release()
    }

    @Test("a pipe, a folder or a link in the note's place holds up nobody, nor is it followed")
    func strangePlace() throws {
        let elsewhere = folder.file("elsewhere")
        try "kept".write(toFile: elsewhere, atomically: true, encoding: .utf8)
        let strange: [() -> Int32] = [
            { mkfifo(note, 0o600) }, { mkdir(note, 0o700) }, { symlink(elsewhere, note) },
        ]
        for put in strange {
            #expect(put() == 0)
            let daemon = try FolderLock(folder.path, isDaemon: true)
            #expect(FolderHolder(notedIn: folder.path) == nil)
            daemon.release()
            try? FileManager.default.removeItem(atPath: note)
        }
        #expect(try String(contentsOfFile: elsewhere, encoding: .utf8) == "kept")
    }

    @Test("what somebody wrote into the note does not reach a screen as it is")
    func shown() throws {
        try "\(getpid()) command till\u{1B}[2Jbox ärger\n".write(
            toFile: note, atomically: true, encoding: .utf8)
        #expect(
            FolderHolder(notedIn: folder.path)?.description
                == "`tillJbox rger`, process \(getpid())")
    }
}
