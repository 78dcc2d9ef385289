import Traffic

/// A webhook endpoint as the API keeps it.
struct TwinWebhookEndpoint: TwinObject {
    static let prefix = StripeIDs.Prefix.webhookEndpoint
    static let name = "webhook endpoint"

    let created: Int64
    var url: String
    /// The newest first; shown once, when it is made.
    var secrets: [String]
    var enabledEvents: [String]
    /// The version whose telling it gets; nil for the account's own.
    var apiVersion: StripeVersion?
    var hears = TwinEndpoint.Hearing.own
    var description: String?
    var metadata: [FormField] = []
    var isEnabled = true
    /// It was named when the twin was started, and not made over the API.
    var isOfSettings = false
    var isDeleted = false
}
