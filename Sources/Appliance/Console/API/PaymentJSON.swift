import AppendLog
import Appliance
import Vocabulary

extension PaymentRow {
    /// As lists and stories write it. Times are in seconds, where a key ends in `_ms` in
    /// milliseconds since 1970.
    func encode(into writer: inout JSONWriter) {
        guard let told else { return writer.null() }
        writer.object { writer in
            writer.member("movement", movement)
            writer.member("object_id", charge)
            writer.member("customer", told.customer)
            writer.member("last_four", lastFour)
            writer.member("brand", brand)
            writer.amount(told.amount, in: told.currency)
            writer.member("currency", told.currency.code)
            writer.member("created", told.created.seconds)
            writer.member("first_seen_ms", told.firstSeen)
            writer.member("merchant", told.merchant)
            writer.member("account", told.account)
            writer.member("verdict", verdict?.rawValue)
            writer.member("score", score)
            writer.member("place", place.rawValue)
            writer.member("review", review?.rawValue)
            writer.member("refunded", refunded)
            writer.member("disputed", disputed)
            writer.member("dead_letters", letterCount)
        }
    }
}

extension PaymentStory {
    func encode(into writer: inout JSONWriter) {
        writer.key("payment")
        row.encode(into: &writer)
        writer.list("records", zip(steps, kept)) { writer, line in
            writer.object { writer in
                writer.member("topic", line.0.topic.rawValue)
                if let partition = line.0.partition {
                    writer.member("partition", Int64(partition))
                }
                writer.member("offset", line.0.offset.rawValue)
                writer.member("at_ms", line.0.at.milliseconds)
                writer.member("word", line.0.word)
                writer.member("kept", line.1)
            }
        }
        writer.key("event")
        if let event { event.encode(into: &writer) } else { writer.null() }
        encodeFeatures(into: &writer)
        encodeScoring(into: &writer)
        writer.key("review")
        if let review { review.encode(into: &writer) } else { writer.null() }
        encodeDecisions(into: &writer)
        writer.list("transactions", transactions) { $1.encode(into: &$0) }
        encodeLetters(into: &writer)
    }

    private func encodeFeatures(into writer: inout JSONWriter) {
        writer.key("features")
        guard let vector, let usual else { return writer.null() }
        writer.object { writer in
            writer.member("offset", vector.offset.rawValue)
            writer.member("as_of", vector.record.vector.asOf.seconds)
            writer.member("schema", vector.record.schemaVersion)
            writer.member("earlier", Int64(usual.count))
            writer.list("values", usual.lines) { writer, line in
                writer.object { writer in
                    writer.member("name", line.name)
                    writer.member("value", line.value)
                    writer.member("mean", line.usual?.mean)
                    writer.member("deviation", line.usual?.deviation)
                }
            }
        }
    }

    private func encodeScoring(into writer: inout JSONWriter) {
        writer.key("scoring")
        guard let scored else { return writer.null() }
        let payment = scored.payment
        writer.object { writer in
            writer.member("offset", scored.offset.rawValue)
            writer.member("verdict", payment.verdict.rawValue)
            writer.member("score", payment.score)
            writer.key("reasons")
            payment.reasons.encode(into: &writer)
            writer.member("model", payment.model)
            writer.member("features_as_of", payment.featuresAsOf?.seconds)
        }
    }

    private func encodeDecisions(into writer: inout JSONWriter) {
        writer.list("decisions", decisions) { writer, decision in
            writer.object { writer in
                writer.member("state", decision.record.state.rawValue)
                writer.member("by", decision.record.by)
                writer.member("at", decision.record.at.seconds)
                writer.member("note", decision.record.note)
                writer.member("took_effect", decision.tookEffect)
                writer.member("offset", decision.place.decision)
            }
        }
    }

    private func encodeLetters(into writer: inout JSONWriter) {
        let orders = letters.filter { $0.record.header(RedriveHeader.to) != nil }
        let refused = letters.filter { $0.record.header(RedriveHeader.to) == nil }
        writer.list("dead_letters", refused) { writer, letter in
            writer.object { writer in
                writer.member("offset", letter.step.offset.rawValue)
                writer.member("at_ms", letter.step.at.milliseconds)
                for name in ["stage", "reason", "detail", "topic"] {
                    writer.key(named: name)
                    writer.string(letter.record.text(name) ?? "")
                }
            }
        }
        writer.list("redrives", orders) { writer, order in
            writer.object { writer in
                writer.member("offset", order.step.offset.rawValue)
                writer.member("at_ms", order.step.at.milliseconds)
                writer.member("from", order.record.text(RedriveHeader.from))
                writer.member("to", order.record.text(RedriveHeader.to))
                writer.member("edited_by", RedriveEdit.author(of: order.record))
            }
        }
    }
}
