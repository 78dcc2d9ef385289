import Foundation
import NIOConcurrencyHelpers
package import Vocabulary

/// The ids of events that the gate has acknowledged, one a line, for an oracle that checks from
/// the outside that none of them was lost. A copy's acknowledgement repeats its id.
///
/// Lines are handed to the operating system at once, so what is in the file survives the
/// simulator; an id may be missing when the simulator is killed between answer and line, which the
/// oracle can bear, but none is there too early.
package final class AcknowledgementFile: Sendable {
    // FileHandle's writes need no lock of ours: one load client calls from one event loop; the
    // box serialises them all the same.
    private let handle: NIOLockedValueBox<FileHandle>
    private let failed = NIOLockedValueBox(false)

    /// Empties the file or makes it.
    package init(path: String) throws(LoadError) {
        let isMade = FileManager.default.createFile(atPath: path, contents: nil)
        guard isMade, let handle = FileHandle(forWritingAtPath: path) else {
            throw .cannotWrite(path: path)
        }
        self.handle = NIOLockedValueBox(handle)
    }

    package func append(_ id: EventID) {
        handle.withLockedValue {
            do {
                try $0.write(contentsOf: Data("\(id.rawValue)\n".utf8))
            } catch {
                failed.withLockedValue { $0 = true }
            }
        }
    }

    /// False once a line could not be written: the list then proves nothing.
    package var isComplete: Bool { !failed.withLockedValue { $0 } }
}
