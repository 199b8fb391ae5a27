// Package proof holds the tests that run the real binary: races, several processes, crashes, failing disks
// and databases, expiry, secrets. They know the program only by its command line, its HTTP API and what it
// leaves on disk, so that they prove what is shipped and not what is linked into a test.
//
// The package has no code of its own; everything is in its tests:
//
//   - site_test.go, server_test.go, client_test.go: an installation, its servers, and who talks to them
//   - till_test.go, audit_test.go: clients that know exactly what the answer must be, and remember it
//   - hooks_test.go: merchants' servers that verify what they are told, and compare it with the feed
//   - the other files: one promise each
//
// PLEXY_TEST_SOAK=1 makes the crash tests twenty times as long or more. A test binary built with -race builds
// the program with -race as well, and does less of it.
package proof
