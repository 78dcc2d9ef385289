/// The frame around a page: its menu, who looks, and where its files are.
struct Shell {
    /// Which place of the menu the page is in.
    struct Place {
        var overview = false
        var payments = false
        var review = false
        var ledger = false
        var log = false
        var reports = false
        var settings = false
        var send = false

        static let nowhere = Place()
        static let overview = Place(overview: true)
        static let payments = Place(payments: true)
        static let review = Place(review: true)
        static let ledger = Place(ledger: true)
        static let log = Place(log: true)
        static let reports = Place(reports: true)
        static let settings = Place(settings: true)
        static let send = Place(send: true)
    }

    /// Who is signed in with a session.
    struct Person {
        var name, role, csrf: String
    }

    var title: String
    var at: Place
    /// `14:32:07 UTC`
    var now: String
    var person: Person?
    /// The field that a form of a session must carry; empty where there is none to check.
    var token: String
    /// Reviews that wait for a person; nil for none.
    var waiting: String?
    /// Whether this process keeps nothing itself: accounts and records are at servers.
    var isElsewhere = false
    /// Whether payments can be sent from here.
    var sends = false
    var profile: String
    var version: String
    var files = PageAssets.paths
}
