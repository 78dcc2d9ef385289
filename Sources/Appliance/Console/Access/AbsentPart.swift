import HTTPTypes
import Vocabulary

/// A part of the console that this plane has not: whoever asks for it, by a bookmark or by a
/// program that was written for another plane, is told so and what does it instead.
package struct AbsentPart: Hashable, Sendable {
    /// Paths of it, each with all that is beneath: `/payments`, `/api/v1/payments`.
    package var paths: [String]
    /// What there is not, and what does it instead.
    package var sentence: String

    package init(paths: [String], sentence: String) {
        (self.paths, self.sentence) = (paths, sentence)
    }

    /// Whether a path is of this part.
    ///
    /// - Parameter path: without a query.
    func has(_ path: String) -> Bool {
        paths.contains { path == $0 || path.hasPrefix($0 + "/") }
    }
}

extension [AbsentPart] {
    /// Why there is nothing at a path.
    func problem(at path: String) -> Problem {
        guard let part = first(where: { $0.has(path) }) else {
            return Problem(.notFound, "there is no such path")
        }
        return Problem(.notFound, part.sentence, code: "not_on_this_plane")
    }
}
