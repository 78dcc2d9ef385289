import Bridges
import CZlib
import Foundation
import SystemPackage
import Vocabulary

/// What was put in place.
struct WrittenFile: Hashable {
    var bytes: Int64
    /// SHA-256 of the file as it lies there, 64 hex digits.
    var digest: String
}

/// A file that is written beside its place and put there at the end: whoever looks sees the one
/// before, or all of the new one. A draft that lies there before, of a run that was ended or of
/// somebody's hand, is never gone on with; and what is put in place is what was written, read once
/// more, or it is refused.
final class DraftFile {
    private let path, draft: String
    private let descriptor: Int32
    private let digest = SHA256Stream()
    private let deflater: Deflater?
    private var bytes: Int64 = 0

    /// - Throws: `WarehouseError`
    init(_ path: String, isCompressed: Bool = false) throws(WarehouseError) {
        self.path = path
        let place = URL(filePath: path)
        // Hidden, so that no pattern of a reader's finds it.
        draft = place.deletingLastPathComponent().path + "/." + place.lastPathComponent + ".part"
        deflater = try isCompressed ? Deflater() : nil
        // A file of its own: whoever has the former one open, or has put a link there, writes
        // elsewhere.
        unlink(draft)
        let descriptor = open(draft, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            let code = errno
            throw .disk(path: draft, code: code)
        }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8]) throws(WarehouseError) {
        try put(try deflater?.deflate(bytes, isLast: false) ?? bytes)
    }

    private func put(_ bytes: [UInt8]) throws(WarehouseError) {
        digest.add(bytes)
        self.bytes += Int64(bytes.count)
        var rest = bytes[...]
        while !rest.isEmpty {
            // SAFETY: the slice's bytes live through the call, which reads at most its length.
            let count = rest.withUnsafeBytes {
                Foundation.write(descriptor, $0.baseAddress, $0.count)
            }
            let code = errno
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if code != EINTR {
                throw .disk(path: draft, code: code)
            }
        }
    }

    /// Puts it in its place, synced. Its name is as durable as its folder, which is synced
    /// elsewhere.
    func keep() throws(WarehouseError) -> WrittenFile {
        if let deflater { try put(try deflater.deflate([], isLast: true)) }
        guard fsync(descriptor) == 0 else {
            let code = errno
            throw .disk(path: draft, code: code)
        }
        let digest = String(hex: digest.finish())
        guard isOurs, try Self.digest(of: draft) == digest else { throw .draft(path: draft) }
        guard rename(draft, path) == 0 else {
            let code = errno
            throw .disk(path: path, code: code)
        }
        return WrittenFile(bytes: bytes, digest: digest)
    }

    /// Whether the draft's name still leads to the file that is written, with as many bytes.
    private var isOurs: Bool {
        guard let written = try? FileDescriptor(rawValue: descriptor).stat(),
            let named = try? FilePath(draft).stat(followTargetSymlink: false)
        else { return false }
        return written.deviceID == named.deviceID && written.inode == named.inode
            && written.size == bytes
    }

    /// Gives back its room, where it could not be written to its end.
    func discard() { unlink(draft) }

    /// SHA-256 of a file, 64 hex digits.
    static func digest(of path: String) throws(WarehouseError) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let code = errno
            throw .disk(path: path, code: code)
        }
        defer { close(descriptor) }
        let digest = SHA256Stream()
        var room = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            // SAFETY: the array's bytes live through the call, which writes at most its length.
            let count = room.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
            let code = errno
            if count > 0 {
                digest.add(Array(room[..<count]))
            } else if count == 0 {
                return String(hex: digest.finish())
            } else if code != EINTR {
                throw .disk(path: path, code: code)
            }
        }
    }

    /// Makes the names in a folder durable.
    static func sync(folder path: String) throws(WarehouseError) {
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else {
            let code = errno
            throw .disk(path: path, code: code)
        }
        defer { close(folder) }
        guard fsync(folder) == 0 else {
            let code = errno
            throw .disk(path: path, code: code)
        }
    }
}

/// gzip (RFC 1952) through zlib, without a name and a time, so that the same rows are the same
/// bytes.
private final class Deflater {
    private static let level: Int32 = 6
    /// zlib's largest window, and 16 for a gzip header.
    private static let windowBits: Int32 = 15 + 16
    private static let memoryLevel: Int32 = 8
    private static let roomBytes = 1 << 16

    private let stream: UnsafeMutablePointer<z_stream>

    init() throws(WarehouseError) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        // SAFETY: the stream stays where it is until `deinit`, as zlib wants it.
        let code = deflateInit2_(
            stream, Self.level, Z_DEFLATED, Self.windowBits, Self.memoryLevel,
            Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else { throw .deflate(code: code) }
    }

    // SAFETY: nobody else has the stream.
    deinit {
        deflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// - Returns: what there is to write by now.
    func deflate(_ bytes: [UInt8], isLast: Bool) throws(WarehouseError) -> [UInt8] {
        var input = bytes
        var output: [UInt8] = []
        var code = Z_OK
        input.withUnsafeMutableBufferPointer { input in
            // SAFETY: input and room live through the calls, which read and write within them.
            stream.pointee.next_in = input.baseAddress
            stream.pointee.avail_in = UInt32(input.count)
            repeat {
                let room = [UInt8](unsafeUninitializedCapacity: Self.roomBytes) { room, count in
                    stream.pointee.next_out = room.baseAddress
                    stream.pointee.avail_out = UInt32(room.count)
                    code = CZlib.deflate(stream, isLast ? Z_FINISH : Z_NO_FLUSH)
                    count = room.count - Int(stream.pointee.avail_out)
                }
                output += room
                // A full room may not have been enough.
            } while code == Z_OK && stream.pointee.avail_out == 0
        }
        // Nothing to do is an answer of its own.
        guard code == (isLast ? Z_STREAM_END : Z_OK) || !isLast && code == Z_BUF_ERROR else {
            throw .deflate(code: code)
        }
        return output
    }
}
