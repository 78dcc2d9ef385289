import Foundation
import Synchronization
import Vocabulary

/// Which deliveries are still to be made, kept beside the twin's journal, one JSON object a line:
///
/// ```
/// {"deliveries":1,"told":1234}                 of the first 1234 events only these are not made:
/// {"pending":"evt_…","endpoint":"we_…"}        … or one that was asked for again
/// {"settled":"evt_…","endpoint":"we_…"}        made, given up, or lost on demand
/// ```
///
/// Events are counted in the order in which the twin tells them, which its journal gives again. Of
/// those after the first `told`, every delivery is to be made that no line calls settled. Each
/// start writes the file anew. Lines are not synced: like the twin's journal they survive the
/// process, not the power, and a line that is lost means one delivery more.
package final class DeliveryJournal: Sendable {
    private struct Delivery: Hashable {
        var event: String
        var endpoint: String
    }

    private struct Open {
        var file: FileHandle?
        var failure: TwinError?
    }

    static let fileName = "deliveries.journal"

    private let path: String
    /// Events before this one are settled but for those in `pending`.
    private let told: Int
    private let pending: Set<Delivery>
    private let settled: Set<Delivery>
    private let open = Mutex(Open())

    /// Reads what the folder says. A folder that says nothing has no delivery to make.
    init(folder: String) {
        path = "\(folder)/\(Self.fileName)"
        let data = FileManager.default.contents(atPath: path) ?? Data()
        let document = JSONDocument()
        var (told, pending, settled) = (Int.max, Set<Delivery>(), Set<Delivery>())
        for line in data.split(separator: UInt8(ascii: "\n")) {
            guard let root = try? document.parse(line) else { continue }
            let endpoint = root["endpoint"]?.string ?? ""
            if let count = root["told"]?.int64 {
                told = Int(exactly: count) ?? .max
            } else if let event = root["pending"]?.string {
                pending.insert(Delivery(event: event, endpoint: endpoint))
            } else if let event = root["settled"]?.string {
                let delivery = Delivery(event: event, endpoint: endpoint)
                pending.remove(delivery)
                settled.insert(delivery)
            }
        }
        (self.told, self.pending, self.settled) = (told, pending, settled)
    }

    /// Whether a delivery was still to be made when the folder was left.
    ///
    /// - Parameter number: of the event, in the order in which they were told.
    func isPending(_ number: Int, event: String, endpoint: String) -> Bool {
        let delivery = Delivery(event: event, endpoint: endpoint)
        return pending.contains(delivery) || (number >= told && !settled.contains(delivery))
    }

    /// Begins the file anew, and opens it for what is settled from now on.
    ///
    /// - Parameter told: events told before now.
    func begin(told: Int, pending: [PendingDelivery]) throws(TwinError) {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("deliveries", 1 as Int64)
        writer.member("told", Int64(told))
        writer.endObject()
        var text = writer.bytes + [UInt8(ascii: "\n")]
        for delivery in pending {
            for endpoint in delivery.endpoints {
                text += Self.line("pending", delivery.event, endpoint)
            }
        }
        do {
            try Data(text).write(to: URL(filePath: path), options: .atomic)
            let file = try FileHandle(forUpdating: URL(filePath: path))
            try file.seekToEnd()
            open.withLock { $0.file = file }
        } catch {
            throw .folderUnusable(path: path, reason: ErrorWords.reason(of: error))
        }
    }

    /// Notes that a delivery is to be made again.
    func note(pending event: String, endpoint: String) {
        write(Self.line("pending", event, endpoint))
    }

    /// Notes that deliveries are made, or will not be.
    func note(settled events: [String], endpoint: String) {
        guard !events.isEmpty else { return }
        write(events.flatMap { Self.line("settled", $0, endpoint) })
    }

    /// Why it can no longer be written, nil while it can.
    var failure: TwinError? { open.withLock { $0.failure } }

    private func write(_ text: [UInt8]) {
        open.withLock { open in
            guard open.failure == nil, let file = open.file else { return }
            do {
                try file.write(contentsOf: text)
            } catch {
                open.failure = .cannotWrite(path: path)
            }
        }
    }

    private static func line(_ state: StaticString, _ event: String, _ endpoint: String) -> [UInt8]
    {
        var writer = JSONWriter(capacity: 128)
        writer.beginObject()
        writer.member(state, event)
        writer.member("endpoint", endpoint)
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }
}
