/// A call of the API, taken from HTTP or made in process.
package struct APIRequest: Sendable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case delete = "DELETE"
        /// The API has no calls of these.
        case put = "PUT"
        case patch = "PATCH"
        case head = "HEAD"
        case options = "OPTIONS"
        case other = "OTHER"

        /// Whether calls of it may change something.
        var isChanging: Bool { self == .post || self == .delete }
    }

    package var method: Method
    /// Without the query: `/v1/charges`.
    package var path: String
    /// The query's and the body's fields in order, decoded.
    var fields: [FormField] = []
    /// The key of `Authorization`, nil where there is none. In-process calls need none.
    var apiKey: String?
    /// From `Idempotency-Key`.
    var idempotencyKey: String?
    /// From `Stripe-Account`.
    package var account: String?
    /// From `Stripe-Version`.
    var version: String?
    /// The body is no form: Stripe's API takes nothing else.
    var hasOtherBody = false
    /// The body was longer than is read.
    var isTooLarge = false
    /// An in-process caller is trusted, and asks for no text.
    var isInProcess = false

    package init(
        method: Method, path: String, fields: [FormField] = [], apiKey: String? = nil,
        idempotencyKey: String? = nil, account: String? = nil, version: String? = nil,
        hasOtherBody: Bool = false, isTooLarge: Bool = false, isInProcess: Bool = false
    ) {
        self.method = method
        self.path = path
        self.fields = fields
        self.apiKey = apiKey
        self.idempotencyKey = idempotencyKey
        self.account = account
        self.version = version
        self.hasOtherBody = hasOtherBody
        self.isTooLarge = isTooLarge
        self.isInProcess = isInProcess
    }
}

/// One `name=value` of a form.
package struct FormField: Hashable, Sendable {
    var name: String
    var value: String

    init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What the API answers.
package struct APIAnswer: Sendable {
    /// HTTP's status code.
    package var status: Int
    /// JSON; empty for an in-process call.
    package var body: [UInt8] = []
    /// `Request-Id`.
    package var requestID = ""
    /// The error in the body, nil where there is none.
    package var refusal: APIRefusal?
    /// Whether the call was carried out, or refused for what it asks; not where it was turned away
    /// for its key, or failed on demand.
    var isPerformed = false
    /// Sent as `Idempotent-Replayed: true`.
    package var isReplayed = false
    /// The id of the object that the call made or changed.
    var objectID: String?
    /// Seconds for `Retry-After`.
    var retryAfterSeconds: Int?
    /// How long to wait before answering, in milliseconds.
    var delayMilliseconds: Int64 = 0
}
