import AppendLog
import Foundation

/// A folder of its own, removed with this object.
final class ScratchFolder {
    let path: String

    init() throws {
        path =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("tillbox-log-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// The log's own folder, which the log makes.
    var log: String { path + "/log" }
}

func makeRecord(_ text: String, at milliseconds: Int64 = 1) -> Record {
    Record(
        key: Array("key".utf8)[...], value: Array(text.utf8)[...],
        timestamp: Timestamp(milliseconds: milliseconds))
}

func texts(_ records: [StoredRecord]) -> [String] {
    records.map { String(decoding: $0.record.value ?? [], as: UTF8.self) }
}

extension Topic {
    /// Everything, in reads of about `byteCountMax` bytes.
    func readAll(byteCountMax: Int = 1 << 20) throws(LogError) -> [StoredRecord] {
        var records: [StoredRecord] = []
        var next = start
        while next < highWatermark {
            let some = try read(from: next, byteCountMax: byteCountMax)
            records += some
            next = some.last?.offset.advanced(by: 1) ?? highWatermark
        }
        return records
    }
}

extension LogConfiguration {
    /// Small segments, so that a test makes many.
    static var small: LogConfiguration {
        var configuration = LogConfiguration()
        configuration.segmentBytesMax = 4 << 10
        configuration.preallocationBytes = 4 << 10
        configuration.indexIntervalBytes = 256
        return configuration
    }
}
