import Foundation
import TestSupport
import Testing

@testable import Vocabulary

@Suite("Words of an error")
struct ErrorWordsTests {
    private struct Own: Error, CustomStringConvertible {
        var description: String { "nothing is there; look elsewhere" }
    }

    private static func sentence(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "done"
        } catch {
            return ErrorWords.sentence(of: error)
        }
    }

    @Test("a file that Foundation cannot make, read or remove is named, with the system's reason")
    func files() throws {
        let missing = try TemporaryFolder().file("none")
        #expect(
            Self.sentence {
                try FileManager.default.createDirectory(
                    atPath: "/proc/nope", withIntermediateDirectories: true)
            } == "/proc/nope: No such file or directory")
        for sentence in [
            Self.sentence { _ = try Data(contentsOf: URL(filePath: missing)) },
            Self.sentence { try FileManager.default.removeItem(atPath: missing) },
            Self.sentence { _ = try FileHandle(forReadingFrom: URL(filePath: missing)) },
        ] {
            #expect(sentence == "\(missing): No such file or directory", "\(sentence)")
        }
    }

    @Test("what has a sentence of its own keeps it")
    func own() {
        #expect(Self.sentence { throw Own() } == "nothing is there; look elsewhere")
        #expect(Self.sentence { throw POSIXError(.EACCES) } == "Permission denied")
    }
}
