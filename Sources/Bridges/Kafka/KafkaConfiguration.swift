/// How a client reaches the brokers, and how much memory and patience it has.
///
/// The defaults fit a container of 256 MiB and a process that has 10 seconds to end in.
public struct KafkaConfiguration: Sendable {
    /// `host:port`, several with commas between them. Brokers name the others themselves.
    public var bootstrap: String
    public var security: KafkaSecurity
    /// What the brokers' logs call this client.
    public var clientID: String

    /// The largest record, with key and headers: 2 MiB hold a webhook's largest body. Topics need
    /// the same bound as `max.message.bytes`.
    public var messageBytesMax = 2 << 20
    /// Records that were handed to a producer and are not acknowledged yet.
    public var producerQueueBytesMax = 32 << 20
    /// Records that were fetched and not yet asked for, all partitions together.
    public var consumerQueueBytesMax = 16 << 20

    /// How long a record may go without the broker's acknowledgement.
    public var deliveryTimeout: Duration = .seconds(10)
    /// After this time the broker ends a transaction whose producer is silent.
    public var transactionTimeout: Duration = .seconds(15)
    /// How long one request may go without an answer; shorter than the transaction's time, so that
    /// a lost answer is asked for again within it.
    public var socketTimeout: Duration = .seconds(10)
    /// A member of a group that is silent for so long is taken for dead.
    public var sessionTimeout: Duration = .seconds(10)
    /// A member that does not ask for records for so long loses its partitions.
    public var pollInterval: Duration = .seconds(300)
    /// How long a producer waits for more records before it sends those that it has.
    public var linger: Duration = .milliseconds(2)
    public var compression = KafkaCompression.lz4

    /// Where librdkafka's own words go; called from its threads, several at once.
    public var log: @Sendable (KafkaLogLine) -> Void = { _ in }

    public init(
        bootstrap: String, security: KafkaSecurity = .plaintext, clientID: String = "tillbox"
    ) {
        self.bootstrap = bootstrap
        self.security = security
        self.clientID = clientID
    }
}

/// How a client proves who it is. Everything but `plaintext` is TLS, with the broker's name and
/// certificate checked.
public enum KafkaSecurity: Sendable {
    case plaintext
    /// - `caFile`: certificates to trust, PEM; nil is the system's own.
    case tls(caFile: String? = nil)
    /// SASL PLAIN over TLS.
    ///
    /// - `password`: read when a client is made, and again when a broker refuses the one in use: a
    ///   new one needs no restart, and an access token in its place may end after an hour. Called
    ///   on a thread of librdkafka's then; it may block for some seconds. What it throws is shown,
    ///   so it holds no secret.
    case saslPlain(
        user: String, caFile: String? = nil, password: @Sendable () throws -> Secret)
    /// SASL OAUTHBEARER over TLS with Google's three-part token.
    ///
    /// - `account`: the service account's address.
    /// - `token`: fetches a new access token. Called on a thread of librdkafka's, at first and when
    ///   four fifths of the last one's time are over; it may block for some seconds. What it throws
    ///   is shown, so it holds no secret, and the call is made again after 10 seconds.
    case saslGoogle(
        account: String, caFile: String? = nil,
        token: @Sendable () throws -> GoogleAccessToken)

    /// Certificates to trust; nil is the system's own, or no TLS.
    var caFile: String? {
        switch self {
        case .plaintext: nil
        case .tls(let caFile), .saslPlain(_, let caFile, _), .saslGoogle(_, let caFile, _): caFile
        }
    }
}

/// Codecs that every broker has; Google's Managed Kafka has no zstd.
public enum KafkaCompression: String, Sendable, CaseIterable {
    case none, gzip, snappy, lz4
}

/// What librdkafka has to say.
public struct KafkaLogLine: Hashable, Sendable {
    /// As in syslog: 0 an emergency, 3 an error, 4 a warning, 6 information, 7 debugging.
    public var level: Int
    /// librdkafka's word for the place, such as `FAIL`.
    public var facility: String
    public var text: String
}
