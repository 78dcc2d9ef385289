import Foundation
import Logging

/// systemd's journal, where standard error ends in it: a line that begins with `<3>` has the
/// priority of an error there (sd-daemon(3)), so that `journalctl -p warning` finds it. The journal
/// takes the prefix off.
enum Journal {
    /// Whether standard error of this process ends in the journal.
    static let takesStandardError = takes(
        STDERR_FILENO, stream: ProcessInfo.processInfo.environment["JOURNAL_STREAM"])

    /// - Parameter stream: device and inode of the journal's socket, as systemd tells a process
    ///   that it starts. A child whose output goes elsewhere inherits the word, and not the socket.
    static func takes(_ descriptor: Int32, stream: String?) -> Bool {
        stream != nil && stream == place(of: descriptor)
    }

    /// `DEVICE:INODE`; nil of what is not open.
    static func place(of descriptor: Int32) -> String? {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? "\(status.st_dev):\(status.st_ino)" : nil
    }

    /// A line with its level before it where the journal reads it; else the line.
    static func marked(_ line: [UInt8], _ level: Logger.Level) -> [UInt8] {
        takesStandardError ? prefix(of: level) + line : line
    }

    /// The priorities of syslog(3). A crash apart, nothing of ours is worse than critical.
    static func prefix(of level: Logger.Level) -> [UInt8] {
        let priority =
            switch level {
            case .trace, .debug: 7
            case .info: 6
            case .notice: 5
            case .warning: 4
            case .error: 3
            case .critical: 2
            }
        return Array("<\(priority)>".utf8)
    }
}
