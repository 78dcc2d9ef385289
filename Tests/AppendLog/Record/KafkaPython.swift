import AppendLog
import Foundation

/// A batch as kafka-python sees it, or is asked to build it. Bytes are hexadecimal text.
struct KafkaBatch: Codable, Equatable {
    var position: Int?
    var size: Int?
    var baseOffset: Int64?
    var lastOffset: Int64?
    var nextOffset: Int64?
    var leaderEpoch: Int32?
    var crcIsValid: Bool?
    var attributes: UInt16?
    var firstTimestamp: Int64?
    var maxTimestamp: Int64?
    /// 0 none, 1 gzip; only asked for.
    var compression: Int?
    /// Only asked for.
    var isTransactional: Bool?
    var producerId: Int64 = -1
    var producerEpoch: Int16 = -1
    var baseSequence: Int32 = -1
    var records: [KafkaRecord] = []

    /// What kafka-python is to build of `records`, with offsets from 0.
    static func asked(
        _ records: [Record], compression: Int = 0, isTransactional: Bool = false,
        producer: ProducerStamp? = nil
    ) -> KafkaBatch {
        KafkaBatch(
            compression: compression, isTransactional: isTransactional,
            producerId: producer?.producerID ?? -1, producerEpoch: producer?.epoch ?? -1,
            baseSequence: producer?.baseSequence ?? -1,
            records: records.enumerated().map {
                KafkaRecord(StoredRecord(offset: Offset(Int64($0.offset)), record: $0.element))
            })
    }
}

struct KafkaRecord: Codable, Equatable {
    var offset: Int64
    var timestamp: Int64
    @Null var key: String?
    @Null var value: String?
    /// Name and value.
    var headers: [[String?]]

    init(_ stored: StoredRecord) {
        offset = stored.offset.rawValue
        timestamp = stored.record.timestamp.milliseconds
        _key = Null(wrappedValue: stored.record.key.map(Self.text))
        _value = Null(wrappedValue: stored.record.value.map(Self.text))
        headers = stored.record.headers.map { [$0.name, $0.value.map(Self.text)] }
    }

    static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

/// A null that is written out, where the synthesized coding would leave the key away.
@propertyWrapper
struct Null: Codable, Equatable {
    var wrappedValue: String?

    init(wrappedValue: String?) { self.wrappedValue = wrappedValue }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        wrappedValue = container.decodeNil() ? nil : try container.decode(String.self)
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue {
            try container.encode(wrappedValue)
        } else {
            try container.encodeNil()
        }
    }
}

/// Runs kafka_records.py. Data goes through files in a folder of its own, removed afterwards.
enum KafkaPython {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Every batch of a segment file, up to its zero tail.
    static func read(segment: URL) throws -> [KafkaBatch] {
        try withScratchFolder { folder in
            let out = folder.appendingPathComponent("batches.jsonl")
            try run("read", segment, out, folder: folder)
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try Data(contentsOf: out).split(separator: 0x0A).map {
                try decoder.decode(KafkaBatch.self, from: $0)
            }
        }
    }

    /// Every batch of `bytes`, up to a zero tail.
    static func read(_ bytes: [UInt8]) throws -> [KafkaBatch] {
        try withScratchFolder { folder in
            let segment = folder.appendingPathComponent("segment.log")
            try Data(bytes).write(to: segment)
            return try read(segment: segment)
        }
    }

    /// The batches that kafka-python builds, back to back, each with base offset 0.
    static func build(_ batches: [KafkaBatch]) throws -> [UInt8] {
        try withScratchFolder { folder in
            let specification = folder.appendingPathComponent("specification.json")
            let encoder = JSONEncoder()
            encoder.keyEncodingStrategy = .convertToSnakeCase
            try encoder.encode(batches).write(to: specification)
            let out = folder.appendingPathComponent("segment.log")
            try run("build", specification, out, folder: folder)
            return Array(try Data(contentsOf: out))
        }
    }

    /// `TILLBOX_TEST_PYTHON`, else the repository's own virtual environment.
    static var interpreter: URL {
        if let path = ProcessInfo.processInfo.environment["TILLBOX_TEST_PYTHON"], !path.isEmpty {
            return URL(fileURLWithPath: path)
        }
        return repository.appendingPathComponent(".venv/bin/python3")
    }

    private static let repository = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static let script = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().appendingPathComponent("kafka_records.py")

    private static func run(_ verb: String, _ input: URL, _ output: URL, folder: URL) throws {
        let interpreter = interpreter
        guard FileManager.default.isExecutableFile(atPath: interpreter.path) else {
            throw Failure(
                description: "There is no Python at \(interpreter.path): run `make setup`, or set "
                    + "TILLBOX_TEST_PYTHON to an interpreter that has kafka-python.")
        }
        let errors = folder.appendingPathComponent("stderr.txt")
        try Data().write(to: errors)
        let process = Process()
        process.executableURL = interpreter
        process.arguments = [script.path, verb, input.path, output.path]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus != 0 else { return }
        let said = String(decoding: try Data(contentsOf: errors), as: UTF8.self)
        if process.terminationStatus == 3 {
            throw Failure(description: "Run `make setup`: \(said)")
        }
        throw Failure(description: "kafka_records.py \(verb) failed: \(said)")
    }

    private static func withScratchFolder<Result>(_ body: (URL) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tillbox-kafka-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        return try body(folder)
    }
}
