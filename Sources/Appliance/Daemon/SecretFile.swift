import Foundation
import SystemPackage

/// Reads a file that only this process and its operators may read.
///
/// What counts is the file that is opened, at the end of every symbolic link: orchestrators mount a
/// secret as a link to a file of the day. Two shapes are private:
/// - nobody but the owner may do anything (`0600`, `0400`);
/// - the file is root's and its group may read it, where that group is root's or one of ours: so
///   Kubernetes (`fsGroup`) and systemd (`LoadCredential=`) hand secrets to a service.
enum SecretFile {
    /// Bytes of the largest such file.
    static let byteCountMax = 1 << 20

    enum Refusal: Error, Hashable {
        case unreadable(reason: String)
        case exposed(mode: String)
    }

    /// Who reads.
    struct Reader {
        var groups: Set<gid_t>

        static var current: Reader {
            let count = getgroups(0, nil)
            var groups = [gid_t](repeating: 0, count: max(0, Int(count)))
            // SAFETY: the array has room for as many as were just counted.
            let read = groups.withUnsafeMutableBufferPointer { getgroups(count, $0.baseAddress) }
            return Reader(groups: Set(groups.prefix(max(0, Int(read)))).union([getegid()]))
        }
    }

    /// The file's text.
    ///
    /// - Parameter isSecret: whether the text, once read, must have been private; a configuration
    ///   file is one only when it holds a secret.
    static func text(
        at path: String, isSecret: (String) -> Bool = { _ in true }
    ) throws(Refusal) -> String {
        let status: Stat
        let bytes: [UInt8]
        var isWritten = true
        do {
            // Opening a pipe that nobody writes into would wait for ever.
            let file = try FileDescriptor.open(
                path, .readOnly, options: [.closeOnExec, .nonBlocking])
            (status, bytes) = try file.closeAfter {
                // The file that was opened, not the name: that may be another one by now.
                let status = try file.stat()
                let isPipe = status.type == .fifo
                if isPipe { isWritten = waitForWriter(file) }
                return (status, isReadable(status.type) && isWritten ? try read(file) : [])
            }
        } catch {
            throw .unreadable(reason: "\(error)")
        }
        guard isReadable(status.type) else { throw .unreadable(reason: "it is no file") }
        guard isWritten else { throw .unreadable(reason: "it is a pipe that nobody writes into") }
        guard bytes.count <= byteCountMax, let text = String(validating: bytes, as: UTF8.self)
        else {
            throw .unreadable(reason: "it is no text of at most \(byteCountMax) bytes")
        }
        let mode = UInt32(status.permissions.rawValue)
        let isOurs = isPrivate(
            mode: mode, owner: status.userID.rawValue, group: status.groupID.rawValue, to: .current)
        guard isOurs || !isSecret(text) else { throw .exposed(mode: String(mode, radix: 8)) }
        return text
    }

    /// A pipe is private when it can be opened: a shell's `<(…)`.
    private static func isReadable(_ type: FileType) -> Bool { type == .regular || type == .fifo }

    /// How long a pipe may stay without a word.
    static let pipePatienceMilliseconds: Int32 = 5_000

    /// Waits for the first byte in a pipe, then reads it as any file.
    ///
    /// - Returns: false when none came.
    private static func waitForWriter(_ file: FileDescriptor) -> Bool {
        var ready = pollfd(fd: file.rawValue, events: Int16(POLLIN), revents: 0)
        guard poll(&ready, 1, pipePatienceMilliseconds) > 0 else { return false }
        // Whoever has begun to write is waited for to the end.
        _ = fcntl(file.rawValue, F_SETFL, O_RDONLY)
        return true
    }

    static func isPrivate(mode: UInt32, owner: uid_t, group: gid_t, to reader: Reader) -> Bool {
        switch mode & 0o077 {
        case 0: true
        case 0o040: owner == 0 && (group == 0 || reader.groups.contains(group))
        default: false
        }
    }

    /// All of it, or one byte more than may be.
    private static func read(_ file: FileDescriptor) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while bytes.count <= byteCountMax {
            // SAFETY: the buffer lives through the call.
            let count = try buffer.withUnsafeMutableBytes { try file.read(into: $0) }
            if count == 0 { break }
            bytes += buffer[..<count]
        }
        return bytes
    }
}
