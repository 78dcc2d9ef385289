import Vocabulary

/// Replies and refusals as the text of an answer.
extension TwinState {
    func written(
        _ reply: APIReply, expanding paths: [String], in place: Int, _ request: APIRequest
    ) throws(APIRefusal) -> APIAnswer {
        var answer = APIAnswer(status: 200)
        answer.objectID = reply.id(in: books[place])
        // A caller in this process wants the id alone.
        if request.isInProcess, case .object = reply { return answer }
        var books = books[place]
        books.version = request.version.flatMap { StripeVersion($0) } ?? .twin
        if Self.mayNameAccounts(paths) { books.accountTexts = accountTexts() }
        var writer = JSONWriter(capacity: 4_096)
        switch reply {
        case .object(let reference):
            let expansion = try Expansion(paths, of: reference.kind, inList: false)
            books.write(reference, expansion, into: &writer)
        case .list(let objects, let hasMore, let url, let kind):
            let expansion = try Expansion(paths, of: kind, inList: true)
            writer.beginObject()
            writer.member("object", "list")
            writer.key("data")
            writer.beginArray()
            for object in objects { books.write(object, expansion, into: &writer) }
            writer.endArray()
            writer.member("has_more", hasMore)
            writer.member("url", url)
            writer.endObject()
        case .deleted(let id, let object):
            writer.beginObject()
            writer.member("id", id)
            writer.member("object", object)
            writer.member("deleted", true)
            writer.endObject()
        case .balance:
            _ = try Expansion(paths, of: .balance, inList: false)
            books.writeBalance(books.balanceLines, into: &writer)
        case .account:
            _ = try Expansion(paths, of: .account, inList: false)
            books.writeAccount(into: &writer)
        case .written(let text, _): writer.json(text)
        }
        answer.body = writer.bytes
        return answer
    }

    /// Whether a path may lead to another account, which these books know by its id alone.
    private static func mayNameAccounts(_ paths: [String]) -> Bool {
        paths.contains { path in
            ["on_behalf_of", "destination", "account"].contains { path.contains($0) }
        }
    }

    /// Every account as the API writes it, by its id.
    private func accountTexts() -> [String: [UInt8]] {
        books.reduce(into: [:]) { texts, books in
            var writer = JSONWriter()
            books.writeAccount(into: &writer)
            texts[books.accountID] = writer.bytes
        }
    }

    /// - Parameter place: of the books whose payment intent a card error shows.
    func refused(
        _ refusal: APIRefusal, _ request: APIRequest, in place: Int? = nil
    ) -> APIAnswer {
        var answer = APIAnswer(status: refusal.status)
        answer.refusal = refusal
        answer.retryAfterSeconds = refusal.retryAfterSeconds
        guard !request.isInProcess else { return answer }
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.object("error") {
            if let code = refusal.adviceCode { $0.member("advice_code", code) }
            if let charge = refusal.charge { $0.member("charge", charge) }
            if let code = refusal.code { $0.member("code", code) }
            if let code = refusal.declineCode { $0.member("decline_code", code) }
            if let code = refusal.code {
                $0.member("doc_url", "https://docs.stripe.com/error-codes/\(code.dashed)")
            }
            $0.member("message", refusal.message)
            if let parameter = refusal.parameter { $0.member("param", parameter) }
            if let place, let id = refusal.paymentIntent,
                let ref: Ref<TwinPaymentIntent> = books[place].ref(
                    id, count: books[place].intents.count)
            {
                $0.key("payment_intent")
                books[place].write(ref, books[place].intents[ref], into: &$0)
            }
            $0.member("type", refusal.kind.rawValue)
        }
        writer.endObject()
        answer.body = writer.bytes
        return answer
    }
}

extension APIReply {
    fileprivate func id(in books: TwinBooks) -> String? {
        switch self {
        case .object(let reference): books.id(of: reference)
        case .deleted(let id, _): id
        case .written(_, let id): id
        case .list, .balance, .account: nil
        }
    }
}
