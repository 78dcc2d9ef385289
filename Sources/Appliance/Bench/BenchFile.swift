import AppendLog
import Foundation

/// The limits of the log: a bare file written, synced and read through the same system calls, with
/// nothing around them.
struct BenchFile {
    let path: String

    /// How long a run of writes took, and each of them, in seconds.
    struct Writes: Sendable {
        var seconds: Double
        var samples: [Double]
        var p50Milliseconds: Double { BenchRow.quantile(0.5, of: samples) * 1000 }
        var p99Milliseconds: Double { BenchRow.quantile(0.99, of: samples) * 1000 }
    }

    /// `count` times `pwrite` and `fdatasync` of the same number of bytes, one after another, on a
    /// file that was preallocated to the whole size beforehand.
    func write(byteCount: Int, count: Int) throws(DiskError) -> Writes {
        let disk = PosixDisk()
        let file = try disk.open(path, .create)
        try file.preallocate(Int64(byteCount * count))
        try file.sync()
        let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) }
        var samples: [Double] = []
        samples.reserveCapacity(count)
        let clock = ContinuousClock()
        let start = clock.now
        for number in 0..<count {
            let began = clock.now
            var done = 0
            while done < byteCount {
                done += try file.write(
                    bytes, done..<byteCount, at: Int64(number * byteCount + done))
            }
            try file.sync()
            samples.append((clock.now - began) / .seconds(1))
        }
        let seconds = (clock.now - start) / .seconds(1)
        try disk.remove(path)
        return Writes(seconds: seconds, samples: samples)
    }

    /// Reads the file from `position` on, a mebibyte at a time, and sums it up with CRC-32C.
    ///
    /// - Returns: bytes read; the checksum keeps the optimiser from leaving the work out.
    static func readAndSum(
        _ path: String, from position: Int64 = 0, byteCountMax: Int64 = .max
    ) throws(DiskError) -> (byteCount: Int64, checksum: UInt32) {
        let file = try PosixDisk().open(path, .read)
        let end = min(try file.size(), byteCountMax == .max ? .max : position + byteCountMax)
        var place = position
        var checksum: UInt32 = 0
        while place < end {
            let bytes = try file.read(at: place, count: Int(min(1 << 20, end - place)))
            guard !bytes.isEmpty else { break }
            checksum = CRC32C.checksum(bytes[...], continuing: checksum)
            place += Int64(bytes.count)
        }
        return (place - position, checksum)
    }
}

/// Records as the gate would append them, but of one size and without a body to parse.
enum BenchRecords {
    /// Bytes of a record's value.
    static let valueByteCount = 1_000

    static func make(_ count: Int, from first: Int = 0) -> [Record] {
        let value = (0..<valueByteCount).map { UInt8(truncatingIfNeeded: $0 &* 131 &+ 17) }[...]
        return (0..<count).map { number in
            Record(
                key: ArraySlice("evt_bench\(first + number)".utf8), value: value,
                headers: [RecordHeader("schema", "bench/1")],
                timestamp: Timestamp(milliseconds: 1_767_571_200_000 + Int64(first + number)))
        }
    }
}

extension Duration {
    /// The duration in seconds, as a floating-point number.
    var inSeconds: Double { self / .seconds(1) }
}
