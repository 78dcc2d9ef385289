import AppendLog
import Daemon
import Foundation
import Reconcile
import Terminal
import Vocabulary

/// What the machine is like under a data folder.
struct MachineChecks {
    let path: String

    /// Below either of these somebody has to make room: the daemon answers 503 on a full disk.
    static let freeByteCountMin: Int64 = 1 << 30
    static let freeShareMin = 0.05
    /// A delivery's answer waits for one sync: above this many milliseconds the disk is slow, and
    /// below the other one nothing is written to a disk.
    static let slowMilliseconds = 20.0
    static let volatileMilliseconds = 0.01
    private static let syncCount = 32

    // MARK: Disk

    func disk() -> Finding {
        var status = statvfs()
        // SAFETY: statvfs fills the struct it is handed and keeps no pointer to it.
        guard statvfs(path, &status) == 0 else {
            return .act("disk", "\(path) cannot be looked at", "check that the disk is mounted")
        }
        let block = UInt64(status.f_frsize)
        let free = Int64(clamping: UInt64(status.f_bavail) &* block)
        let total = Int64(clamping: UInt64(status.f_blocks) &* block)
        return Self.disk(free: free, of: total)
    }

    static func disk(free: Int64, of total: Int64) -> Finding {
        let share = total > 0 ? Double(free) / Double(total) : 0
        let words = "\(Figures.grouped(Int(free >> 20))) MiB of "
            + "\(Figures.grouped(Int(total >> 20))) are free"
        guard free >= freeByteCountMin, share >= freeShareMin else {
            return .act(
                "disk", words,
                "make room, or set log.retention_days; on a full disk deliveries are answered 503 "
                    + "and Stripe sends them again")
        }
        return .ok("disk", words)
    }

    // MARK: Sync

    /// Writes and syncs a page again and again, as the log does.
    func sync() -> Finding {
        // A name that nobody can have put a link under beforehand: a person may run this as root.
        let file = "\(path)/doctor-\(UUID().uuidString).tmp"
        let disk = PosixDisk()
        defer { unlink(file) }
        do throws(DiskError) {
            let opened = try disk.open(file, .create)
            let page = [UInt8](repeating: 1, count: 4_096)
            try opened.writeAll(page, at: 0)
            try opened.sync()
            var times: [Double] = []
            for _ in 0..<Self.syncCount {
                let began = ContinuousClock.now
                try opened.writeAll(page, at: 0)
                try opened.sync()
                times.append(began.duration(to: .now) / .milliseconds(1))
            }
            return Self.sync(milliseconds: times.sorted()[Self.syncCount / 2])
        } catch {
            return .act("sync", "\(error)", "check the disk and who may write there")
        }
    }

    static func sync(milliseconds: Double) -> Finding {
        let words = "a write and its sync take \(String(format: "%.2f", milliseconds)) ms"
        if milliseconds > slowMilliseconds {
            return .act(
                "sync", words,
                "each answer waits for one; put the data folder on a disk with a write cache that "
                    + "keeps through a power cut, not on a network")
        }
        if milliseconds < volatileMilliseconds {
            return .act(
                "sync", "\(words), which no disk is capable of",
                "the data folder seems to lie in memory; what is acknowledged there is gone with "
                    + "the machine's power. Put it on a disk")
        }
        return .ok("sync", words)
    }

    // MARK: Permissions

    func permissions() -> Finding {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        guard let mode = (attributes?[.posixPermissions] as? NSNumber)?.uint32Value,
            let owner = Self.owner(of: path)
        else {
            return .act("permissions", "\(path) cannot be looked at", "run this as its owner")
        }
        let shown = String(mode & 0o777, radix: 8)
        if mode & 0o077 != 0 {
            return .act(
                "permissions", "other users may enter \(path) (mode \(shown)): it holds payments",
                "run: chmod -R go= \(ShellWord.quoted(path))")
        }
        if let file = foreignFile(than: owner) {
            return .act(
                "permissions", "\(path)/\(file) is another user's than the folder, and a start may "
                    + "not be able to read it",
                "with the daemon stopped: chown -R \(Self.name(of: owner)): "
                    + ShellWord.quoted(path))
        }
        if owner != geteuid() {
            return .note(
                "permissions", "\(path) is another user's than who asks here",
                "run this as the daemon's user, so that it sees what the daemon sees")
        }
        return .ok("permissions", "\(path) is its owner's alone (mode \(shown))")
    }

    /// The first file below the folder that belongs to somebody else; nil for none, and where the
    /// daemon is root's, who reads everything.
    private func foreignFile(than owner: uid_t) -> String? {
        guard owner != 0, let inside = FileManager.default.enumerator(atPath: path) else {
            return nil
        }
        for case let name as String in inside {
            // One that a running daemon has taken away meanwhile is nobody's.
            if let its = Self.owner(of: "\(path)/\(name)"), its != owner { return name }
        }
        return nil
    }

    private static func owner(of path: String) -> uid_t? {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path)
        return (attributes?[.ownerAccountID] as? NSNumber)?.uint32Value
    }

    /// As `chown` takes it: the number where the machine knows no name.
    private static func name(of user: uid_t) -> String {
        // SAFETY: the entry is the library's own and is read before anybody asks for another one.
        guard let entry = getpwuid(user), let name = entry.pointee.pw_name else { return "\(user)" }
        return String(cString: name)
    }

    // MARK: Clock

    static func clock(_ settings: Settings, _ clock: StripeClock) -> Finding {
        guard settings.stripeKey != nil else {
            return .skipped(
                "clock", "nothing to compare this machine's clock with",
                "set stripe.api_key, and it is compared with Stripe's")
        }
        guard let ahead = StripeSetUp.ahead(of: clock) else {
            return .skipped("clock", "Stripe has told no time of its own")
        }
        return Self.clock(aheadMilliseconds: ahead, tolerance: settings.signatureTolerance)
    }

    static func clock(aheadMilliseconds ahead: Int64, tolerance seconds: Int64) -> Finding {
        let off = (ahead.magnitude + 500) / 1_000
        let words = "this machine's clock is \(off) s "
            + (ahead > 0 ? "behind Stripe's" : "ahead of Stripe's")
        // The answer took some time to come, and tells whole seconds.
        if off > 5, Int64(off) * 4 > seconds {
            return .act(
                "clock", words,
                "set the clock and keep it by NTP (timedatectl set-ntp true): deliveries whose "
                    + "time is more than \(seconds) s off are refused")
        }
        return off > 5
            ? .note("clock", words, "keep it by NTP (timedatectl set-ntp true)")
            : .ok("clock", "this machine's clock is Stripe's, to within 5 s")
    }
}
