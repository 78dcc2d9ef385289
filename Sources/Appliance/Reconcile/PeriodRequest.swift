package import Vocabulary

/// The period that a run is asked to look at, as the body of a request names it.
package struct PeriodRequest: Hashable, Sendable {
    /// nil for where the last run allows to begin.
    package var from: Instant?
    /// nil for now.
    package var to: Instant?
    package var isDry = false

    /// What is wrong with a body.
    package enum Refusal: String, Error {
        case notAnObject = "the body must be a JSON object"
        case repeatedMember = "the body says a member twice; say it once"
        case unknownKey = "the body may hold from, to and dry_run only"
        case badMember = "from and to are Unix seconds from 0, dry_run is true or false"
    }

    /// An empty body is an empty object.
    package static func decode(_ body: [UInt8]) throws(Refusal) -> PeriodRequest {
        guard !body.isEmpty else { return PeriodRequest() }
        let document = JSONDocument()
        return try withExtendedLifetime(document) { () throws(Refusal) in
            guard let root = try? document.parse(body), let members = root.object
            else { throw .notAnObject }
            guard root.repeatedMember() == nil else { throw .repeatedMember }
            for (key, _) in members {
                guard let name = key.string, ["from", "to", "dry_run"].contains(name)
                else { throw .unknownKey }
            }
            do {
                return PeriodRequest(
                    from: try root.optionalInstant("from"), to: try root.optionalInstant("to"),
                    isDry: root["dry_run"] == nil ? false : try root.requiredBool("dry_run"))
            } catch {
                throw .badMember
            }
        }
    }
}
