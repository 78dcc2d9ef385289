import AppendLog
package import Vocabulary

// What the admin API and the command line exchange; the keys are stable (docs/CONTRACTS.md §10).
// Only the embedded log is asked that way, whose topics have one partition.

extension LetterLine {
    package func encode(into writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("offset", offset.rawValue)
        writer.member("at", at.milliseconds)
        writer.member("stage", stage)
        writer.member("reason", reason)
        writer.member("detail", detail)
        writer.member("topic", topic)
        writer.member("source", source?.rawValue)
        writer.member("event_id", eventID)
        writer.member("redriven_from", origin?.offset.rawValue)
        writer.member("redriven", state.rawValue)
        writer.member("again", again?.offset.rawValue)
        writer.endObject()
    }
}

extension RedriveAnswer {
    package func encode(into writer: inout JSONWriter) {
        writer.key("letters")
        writer.beginArray()
        for line in lines {
            writer.beginObject()
            writer.member("offset", line.letter.offset.rawValue)
            writer.member("reason", line.reason)
            writer.member("result", line.result.rawValue)
            writer.member("detail", line.detail)
            writer.endObject()
        }
        writer.endArray()
        writer.member("next", next?.offset.rawValue)
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
