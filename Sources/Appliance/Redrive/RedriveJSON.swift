import AppendLog
package import Vocabulary

// What the admin API and the command line exchange; the keys are stable (docs/CONTRACTS.md §10).
// Where topics have several partitions an offset names nothing, and letters stand there as the
// commands name them.

extension LetterLine {
    /// - Parameter byName: whether letters are named, and not told by their offsets alone.
    package func encode(into writer: inout JSONWriter, byName: Bool = false) {
        writer.beginObject()
        place.encode(into: &writer, byName: byName)
        writer.member("at", at.milliseconds)
        writer.member("stage", stage)
        writer.member("reason", reason)
        writer.member("detail", detail)
        writer.member("topic", topic)
        writer.member("source", source?.rawValue)
        writer.member("event_id", eventID)
        writer.letter("redriven_from", origin, byName: byName)
        writer.member("redriven", state.rawValue)
        writer.letter("again", again, byName: byName)
        writer.endObject()
    }
}

extension SourcePlace {
    fileprivate func encode(into writer: inout JSONWriter, byName: Bool) {
        writer.member("offset", offset.rawValue)
        guard byName else { return }
        writer.member("partition", Int64(partition))
        writer.member("letter", letterName)
    }
}

extension JSONWriter {
    /// A member that names a letter: its offset, or its name.
    package mutating func letter(_ name: StaticString, _ place: SourcePlace?, byName: Bool) {
        if byName {
            member(name, place?.letterName)
        } else {
            member(name, place?.offset.rawValue)
        }
    }
}

extension RedriveAnswer {
    /// - Parameter byName: as of a ``LetterLine``.
    package func encode(into writer: inout JSONWriter, byName: Bool = false) {
        writer.key("letters")
        writer.beginArray()
        for line in lines {
            writer.beginObject()
            line.letter.encode(into: &writer, byName: byName)
            writer.member("reason", line.reason)
            writer.member("result", line.result.rawValue)
            writer.member("detail", line.detail)
            writer.endObject()
        }
        writer.endArray()
        writer.letter("next", next, byName: byName)
    }

    package init(json: JSONValue) throws(RecordCodecError) {
        guard let elements = json["letters"]?.array else { throw .field("letters") }
        self.init(lines: [], next: try json.optionalInt64("next").map { .letter(Offset($0)) })
        for element in elements {
            lines.append(
                RedriveLine(
                    letter: .letter(Offset(try element.requiredInt64("offset"))),
                    reason: try element.requiredString("reason"),
                    result: try element.requiredWord("result"),
                    detail: try element.requiredString("detail")))
        }
    }
}
