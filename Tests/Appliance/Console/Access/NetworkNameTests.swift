import Testing

@testable import Console

@Suite("What an address is counted as")
struct NetworkNameTests {
    @Test("an address of IPv6 is its /64, one of IPv4 itself, else what it is", arguments: [
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("2001:DB8:0001:2:ffff::1", "2001:db8:1:2::/64"), ("::1", "0:0:0:0::/64"),
        ("fe80::1%eth0", "fe80:0:0:0::/64"), ("[2001:db8:1:2::9]:443", "2001:db8:1:2::/64"),
        ("10.0.0.1", "10.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("unknown", "unknown"),
        ("", ""), ("[", "["), ("1:2", "1:2"),
    ])
    func named(address: String, name: String) {
        #expect(NetworkName.of(address) == name)
    }

    @Test("who picks another address of the same network for each attempt waits all the same")
    func throttled() {
        let throttle = LoginThrottle()
        func waits(_ address: String) -> Bool {
            throttle.begin(.init(account: nil, address: address), atMilliseconds: 1_000) != nil
        }
        let last = (0..<20).map { waits("2001:db8:1:2::\($0)") }
        #expect(last.last == true && last.first == false)
        #expect(!waits("2001:db8:1:3::1"), "another network does not")
        #expect(throttle.counts.addresses == 2)
    }
}
