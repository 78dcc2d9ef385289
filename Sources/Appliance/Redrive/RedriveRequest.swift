import AppendLog
package import Vocabulary

/// Which dead letters to redrive.
package struct RedriveRequest: Hashable, Sendable {
    /// Only letters of this reason; nil takes any.
    package var reason: String?
    /// These letters; nil takes all that have not been redriven.
    package var letters: [SourcePlace]?
    /// Says what would happen, and does nothing.
    package var isDryRun = false
    /// Only letters behind this one, in the order of partitions and offsets.
    package var after: SourcePlace?
    /// What goes back in place of the letter's own value; of one letter that is named alone.
    package var edit: RedriveEdit?

    package init(
        reason: String? = nil, letters: [SourcePlace]? = nil, isDryRun: Bool = false,
        after: SourcePlace? = nil, edit: RedriveEdit? = nil
    ) {
        precondition(edit == nil || letters?.count == 1, "an edit of several letters")
        self.reason = reason
        self.letters = letters
        self.isDryRun = isDryRun
        self.after = after
        self.edit = edit
    }
}

/// What the admin API is asked. A letter is named by its offset where topics have one partition,
/// and everywhere as the commands name it.
extension RedriveRequest {
    /// - Parameters:
    ///   - dataPath: the folder that is meant; the daemon refuses if it is not its own.
    ///   - saysWho: whether `by` is there; only the data folder's token may say it.
    package func encoded(dataPath: String, saysWho: Bool = true) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.member("data", dataPath)
        writer.member("reason", reason)
        if let letters {
            writer.key("offsets")
            writer.beginArray()
            for letter in letters { writer.int(letter.offset.rawValue) }
            writer.endArray()
        }
        writer.member("dry_run", isDryRun)
        writer.member("after", after?.offset.rawValue)
        if let edit {
            writer.member("value", String(decoding: edit.value, as: UTF8.self))
            if saysWho { writer.member("by", edit.by) }
        }
        writer.endObject()
        return writer.bytes
    }

    /// - Returns: the request; the data folder that it means, and who it says asks, if it names
    ///   them.
    package static func decode(
        _ body: [UInt8]
    ) throws(RecordCodecError) -> (request: RedriveRequest, dataPath: String?, by: String?) {
        let document = JSONDocument()
        let root = try document.request(body)
        guard let members = root.object else { throw .notAnObject }
        // A misspelt key would otherwise widen the request to every dead letter.
        let known: Set = [
            "data", "reason", "offsets", "letters", "dry_run", "after", "value", "by",
        ]
        for (key, _) in members {
            guard let name = key.string, known.contains(name) else {
                throw .field(key.string ?? "?")
            }
        }
        var request = RedriveRequest(reason: try root.optionalString("reason"))
        if let after = root["after"], !after.isNull {
            request.after = try letter(after, "after")
        }
        if let isDryRun = root["dry_run"], !isDryRun.isNull {
            guard let value = isDryRun.bool else { throw .field("dry_run") }
            request.isDryRun = value
        }
        for (name, places) in [("offsets", root["offsets"]), ("letters", root["letters"])] {
            guard let places, !places.isNull else { continue }
            // Both of them at once would be one selection too many.
            guard let elements = places.array, request.letters == nil else { throw .field(name) }
            var wanted: [SourcePlace] = []
            for element in elements { wanted.append(try letter(element, name)) }
            request.letters = wanted
        }
        let by = try root.optionalString("by")
        request.edit = try edit(in: root, request, by: by)
        return (request, try root.optionalString("data"), by)
    }

    private static func edit(
        in root: JSONValue, _ request: RedriveRequest, by: String?
    ) throws(RecordCodecError) -> RedriveEdit? {
        guard let value = try root.optionalString("value") else { return nil }
        guard value.utf8.count <= RedriveLimits.editByteCountMax else { throw .field("value") }
        // One value for several letters would make one record of them all.
        guard request.letters?.count == 1, request.after == nil else { throw .field("offsets") }
        return RedriveEdit(value: Array(value.utf8), by: by ?? "")
    }

    /// An offset, or a letter's name.
    private static func letter(
        _ value: JSONValue, _ field: String
    ) throws(RecordCodecError) -> SourcePlace {
        if let number = value.int64, let offset = Offset(named: number) {
            return .letter(offset)
        }
        guard let name = value.string, let place = SourcePlace(letterName: name) else {
            throw .field(field)
        }
        return place
    }
}
