import Bridges
import Testing

@Suite("Redis: the address")
struct RedisConfigurationTests {
    struct Good: Sendable {
        var url: String
        var host: String
        var port: UInt16 = 6379
        var isSecure = false
        var user: String?
        var password: String?
        var database = 0
    }

    static let good = [
        Good(url: "redis://localhost", host: "localhost"),
        Good(url: "redis://cache.internal:6380/3", host: "cache.internal", port: 6380, database: 3),
        Good(url: "rediss://10.0.0.3", host: "10.0.0.3", isSecure: true),
        Good(url: "rediss://10.0.0.3:6378/", host: "10.0.0.3", port: 6378, isSecure: true),
        Good(url: "redis://[::1]", host: "::1"),
        Good(url: "redis://:pw@[fd00::3]:7000/15", host: "fd00::3", port: 7000, password: "pw",
            database: 15),
        Good(url: "redis://:secret@h", host: "h", password: "secret"),
        Good(url: "redis://ann:p%40ss%2Fw%25:x@h:1", host: "h", port: 1, user: "ann",
            password: "p@ss/w%:x"),
        Good(url: "redis://a%C3%A9:b@h", host: "h", user: "aé", password: "b"),
        // Unescaped, but not ambiguous: the last @ of the authority ends the password.
        Good(url: "redis://ann:p@ss@h", host: "h", user: "ann", password: "p@ss"),
    ]

    @Test("reads every part", arguments: good)
    func reads(row: Good) throws {
        let configuration = try RedisConfiguration(url: row.url, authorities: "/ca.pem")
        #expect(configuration.host == row.host)
        #expect(configuration.port == row.port)
        #expect(configuration.isSecure == row.isSecure)
        #expect(configuration.credentials?.user == row.user)
        #expect(configuration.credentials?.password.reveal() == row.password)
        #expect(configuration.database == row.database)
        #expect(configuration.authorities == "/ca.pem")
    }

    @Test("refuses what is no address", arguments: [
        ("http://h", RedisConfigurationError.scheme), ("h:6379", .scheme), ("", .scheme),
        ("REDIS://h", .scheme),
        ("redis://", .host), ("redis:///1", .host), ("redis://:pw@", .host),
        ("redis://::1", .host), ("redis://[::1", .host), ("redis://[::g]", .host),
        ("redis://[127.0.0.1]", .host), ("redis://[::1]x", .host), ("redis://ho\"st", .host),
        ("redis://hö", .host), ("redis://h%41", .host),
        ("redis://h:", .port), ("redis://h:0", .port), ("redis://h:65536", .port),
        ("redis://h:+1", .port), ("redis://h:6379x", .port),
        ("redis://h/x", .database), ("redis://h/-1", .database), ("redis://h/65536", .database),
        ("redis://h/1/2", .database),
        ("redis://ann@h", .passwordMissing), ("redis://ann:@h", .passwordMissing),
        ("redis://@h", .passwordMissing),
        ("redis://ann:p%4@h", .escape), ("redis://ann:p%zz@h", .escape),
        ("redis://ann:%ff@h", .escape),
        ("redis://h?x=1", .surplus), ("redis://h/0#a", .surplus), ("redis://h 1", .surplus),
    ])
    func refuses(url: String, expected: RedisConfigurationError) {
        #expect(throws: expected) { try RedisConfiguration(url: url) }
        #expect(!expected.isRetryable)
    }

    @Test("no password in any print, whichever way the address is wrong")
    func secrets() throws {
        let word = "hunter2"
        let configuration = try RedisConfiguration(url: "redis://ann:\(word)@h")
        var dumped = ""
        dump(configuration, to: &dumped)
        #expect(!dumped.contains(word))
        #expect(!"\(configuration) \(String(reflecting: configuration))".contains(word))
        let broken = [
            "redis://:\(word)/x@h", "redis://ann:\(word)@h:\(word)", "redis://ann:\(word)%@h",
            "redis://ann:\(word) @h", "rediss:ann:\(word)@h", "redis://ann:\(word)?@h",
            "redis://:\(word)@h/\(word)", "redis://[\(word)@h",
        ]
        for url in broken {
            do {
                _ = try RedisConfiguration(url: url)
                Issue.record("taken")
            } catch {
                #expect(!"\(error) \(String(reflecting: error))".contains(word))
                #expect(error.description.contains("Redis address"))
            }
        }
    }

    @Test("what Redis refuses is our sentence with what to do, its words at the end", arguments: [
        ("OOM command not allowed when used memory > 'maxmemory'.", "raise its maxmemory"),
        ("READONLY You can't write against a read only replica.", "name the primary"),
        ("MISCONF Redis is configured to save RDB snapshots", "cannot save to its disk"),
        ("NOPERM No permissions to access a key", "below redis.prefix"),
        ("LOADING Redis is loading the dataset in memory", "asked again"),
        ("CLUSTERDOWN Hash slot not served", "another server"),
        ("MOVED 3999 127.0.0.1:6381", "several shards"),
        ("ERR something else", "refused the command"),
    ])
    func refusals(words: String, advice: String) {
        let sentence = RedisError.refused(RedisErrorReply(words)).description
        #expect(sentence.hasPrefix("Redis refused the command"), "\(sentence)")
        #expect(sentence.contains(advice) && sentence.hasSuffix(": \(words)"), "\(sentence)")
    }
}
