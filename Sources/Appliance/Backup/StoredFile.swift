import AppendLog
import Foundation
import Bridges
import Vocabulary

/// The form of a file in a backup: its bytes as they are or, with a key, sealed.
///
/// A sealed file:
///
/// | byte | size | |
/// | ---: | ---: | --- |
/// | 0 | 8 | `TBSEAL01` |
/// | 8 | 32 | salt, random |
/// | 40 | | chunks of 65,536 bytes, the last of 0 to 65,536, each encrypted, and its tag (16) |
///
/// The cipher is AES-256-GCM. Its key is HMAC-SHA256 under the backup's key of `tillbox-backup file
/// 1`, a byte 0, the salt and the file's name. The nonce of a chunk is 3 bytes 0, its number from 0
/// (8 bytes, the highest first), and 1 for the last chunk, else 0: so chunks cannot be exchanged,
/// left out or added, nor the file cut at one (the construction STREAM of Hoang, Reyhanitabar,
/// Rogaway and Vizár, CRYPTO 2015).
enum StoredForm {
    static let magic = Array("TBSEAL01".utf8)
    static let saltByteCount = 32
    static let headByteCount = 40
    static let chunkByteCount = 65_536
    /// What is read and written at a time of a file that is not sealed.
    static let pieceByteCount = 1 << 20

    static func nonce(_ number: Int64, isLast: Bool) -> [UInt8] {
        let counter = (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * Int64($0))) }
        return [0, 0, 0] + counter + [isLast ? 1 : 0]
    }

    /// Bytes that `count` bytes take as they are stored.
    static func byteCount(of count: Int64, isSealed: Bool) -> Int64 {
        guard isSealed else { return count }
        let chunks = max(1, (count + Int64(chunkByteCount) - 1) / Int64(chunkByteCount))
        return Int64(headByteCount) + count + chunks * Int64(AES256GCM.tagByteCount)
    }
}

/// Writes one file of a backup, piece by piece, beside its place.
struct StoredFileWriter {
    private let file: any DiskFile
    private let cipher: AES256GCM?
    private let digest = SHA256Stream()
    private var position: Int64 = 0
    private var waiting: [UInt8] = []
    private var chunks: Int64 = 0
    /// Bytes of content so far.
    private(set) var byteCount: Int64 = 0

    /// - Parameters:
    ///   - name: what the file is bound to, see ``StoredForm``.
    ///   - key: nil stores the bytes as they are.
    init(
        _ path: String, name: String, key: BackupKey?, on disk: any Disk
    ) throws(DiskError) {
        file = try disk.open(path, .create)
        guard let key else {
            cipher = nil
            return
        }
        let salt = randomBytes(count: StoredForm.saltByteCount)
        cipher = key.cipher(ofFile: name, salt: salt)
        try put(StoredForm.magic + salt)
    }

    private mutating func put(_ bytes: [UInt8]) throws(DiskError) {
        try file.writeAll(bytes, at: position)
        position += Int64(bytes.count)
    }

    mutating func write(_ bytes: [UInt8]) throws(DiskError) {
        digest.add(bytes)
        byteCount += Int64(bytes.count)
        guard cipher != nil else { return try put(bytes) }
        waiting += bytes
        var rest = waiting[...]
        // The last chunk is known by what comes behind it, so that a full one waits for that.
        while rest.count > StoredForm.chunkByteCount {
            try seal(rest.prefix(StoredForm.chunkByteCount), isLast: false)
            rest = rest.dropFirst(StoredForm.chunkByteCount)
        }
        waiting = Array(rest)
    }

    private mutating func seal(_ chunk: ArraySlice<UInt8>, isLast: Bool) throws(DiskError) {
        guard let cipher else { return }
        try put(cipher.seal(chunk, nonce: StoredForm.nonce(chunks, isLast: isLast)))
        chunks += 1
    }

    /// Writes what is left, durably.
    ///
    /// - Returns: SHA-256 of the content, 64 hex digits.
    mutating func finish() throws(DiskError) -> String {
        try seal(waiting[...], isLast: true)
        try file.sync()
        return String(hex: digest.finish())
    }
}

/// Reads one file of a backup.
struct StoredFileReader {
    private let file: any DiskFile
    private let path: String
    private let cipher: AES256GCM?
    private let size: Int64
    private var position: Int64 = 0
    private var chunks: Int64 = 0
    private var isOver = false
    private let digest = SHA256Stream()
    private var byteCount: Int64 = 0

    /// - Throws: `.damaged` where it is missing or not of the form, `.disk`.
    init(
        _ path: String, name: String, key: BackupKey?, on disk: any Disk
    ) throws(BackupError) {
        self.path = path
        do throws(DiskError) {
            file = try disk.open(path, .read)
            // What was just written is to come from the disk; where that cannot be had, from
            // wherever it comes.
            try? file.dropCache()
            size = try file.size()
            guard let key else {
                cipher = nil
                return
            }
            let head = try file.read(at: 0, count: StoredForm.headByteCount)
            guard head.count == StoredForm.headByteCount, head.starts(with: StoredForm.magic) else {
                cipher = nil
                isOver = true
                position = -1
                return
            }
            let salt = Array(head.dropFirst(StoredForm.magic.count))
            cipher = key.cipher(ofFile: name, salt: salt)
            position = Int64(head.count)
        } catch {
            throw error.code == ENOENT
                ? .damaged(file: path, reason: "it is missing") : BackupError(error)
        }
    }

    /// The next bytes; nil behind the last.
    ///
    /// - Throws: `.damaged`, `.disk`
    mutating func next() throws(BackupError) -> [UInt8]? {
        guard position >= 0 else { throw damaged("it is not encrypted as the others are") }
        guard !isOver else { return nil }
        let piece: [UInt8]
        if let cipher {
            piece = try chunk(cipher)
        } else {
            piece = try read(StoredForm.pieceByteCount)
            isOver = piece.isEmpty
        }
        digest.add(piece)
        byteCount += Int64(piece.count)
        return isOver && piece.isEmpty ? nil : piece
    }

    private mutating func read(_ count: Int) throws(BackupError) -> [UInt8] {
        do {
            let bytes = try file.read(at: position, count: count)
            position += Int64(bytes.count)
            return bytes
        } catch {
            throw BackupError(error)
        }
    }

    private mutating func chunk(_ cipher: AES256GCM) throws(BackupError) -> [UInt8] {
        let bytes = try read(StoredForm.chunkByteCount + AES256GCM.tagByteCount)
        isOver = position >= size
        let nonce = StoredForm.nonce(chunks, isLast: isOver)
        guard let plain = cipher.open(bytes[...], nonce: nonce) else {
            throw damaged("its bytes are not those that were encrypted")
        }
        chunks += 1
        return plain
    }

    private func damaged(_ reason: String) -> BackupError { .damaged(file: path, reason: reason) }

    /// Reads all of it and hands the pieces on.
    ///
    /// - Parameters:
    ///   - byteCount: of the content, as the manifest has it.
    ///   - digest: the same.
    /// - Throws: `.damaged` where it is something else; what `body` throws.
    mutating func readAll(
        byteCount due: Int64, digest expected: String, _ body: ([UInt8]) throws -> Void = { _ in }
    ) throws {
        while let piece = try next() {
            guard byteCount <= due else { throw damaged("it is longer than \(due) bytes") }
            try body(piece)
        }
        guard byteCount == due else { throw damaged("\(byteCount) of \(due) bytes are there") }
        guard String(hex: digest.finish()) == expected else {
            throw damaged("its bytes are not those that were written")
        }
    }
}
