import AppendLog
package import Vocabulary

// What the admin API and the command line exchange; the keys are stable (docs/CONTRACTS.md §10).

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
        writer.member("redriven_from", origin?.rawValue)
        writer.member("redriven", state.rawValue)
        writer.member("again", again?.rawValue)
        writer.endObject()
    }
}

extension RedriveAnswer {
    package func encode(into writer: inout JSONWriter) {
        writer.key("letters")
        writer.beginArray()
        for line in lines {
            writer.beginObject()
            writer.member("offset", line.letter.rawValue)
            writer.member("reason", line.reason)
            writer.member("result", line.result.rawValue)
            writer.member("detail", line.detail)
            writer.endObject()
        }
        writer.endArray()
        writer.member("next", next?.rawValue)
    }

    package static func decode(_ body: [UInt8]) throws(RecordCodecError) -> RedriveAnswer {
        let document = JSONDocument()
        let root: JSONValue
        do {
            root = try document.parse(body)
        } catch {
            throw .notJSON(error)
        }
        guard let elements = root["letters"]?.array else { throw .field("letters") }
        var answer = RedriveAnswer(lines: [], next: nil)
        for element in elements {
            answer.lines.append(
                RedriveLine(
                    letter: Offset(try element.requiredInt64("offset")),
                    reason: try element.requiredString("reason"),
                    result: try element.requiredWord("result"),
                    detail: try element.requiredString("detail")))
        }
        answer.next = try root.optionalInt64("next").map { Offset($0) }
        return answer
    }
}
