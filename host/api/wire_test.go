package api_test

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	mesos "github.com/mezzo-cluster/mezzo/sdk/mesos/v1"
	"github.com/mezzo-cluster/mezzo/sdk/mesos/v1/scheduler"
)

func frameworkInfo(name string) *mesos.FrameworkInfo {
	return &mesos.FrameworkInfo{User: proto.String("root"), Name: &name}
}

func itoa(n int) string { return strconv.Itoa(n) }

// dial opens a connection to speak HTTP by hand.
func dial(t *testing.T, c *cluster) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", c.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func writeAll(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

func chunk(body string) string {
	return strconv.FormatInt(int64(len(body)), 16) + "\r\n" + body + "\r\n"
}

// readChunk reads one HTTP chunk.
func readChunk(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	size, err := strconv.ParseInt(strings.TrimSpace(line), 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	body := make([]byte, size+2)
	if _, err := io.ReadFull(r, body); err != nil {
		t.Fatal(err)
	}
	return string(body[:size])
}

// TestTextThatIsNotUTF8 is refused in protobuf as in JSON: no agent, plugin or reader could be told it.
func TestTextThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	c := newCluster(t, options{})
	bad := proto.String("a\xffb")
	limits := map[string]*mesos.Value_Scalar{*bad: {Value: proto.Float64(1)}}
	for path, call := range map[string]*scheduler.Call{
		"framework_id.value": {Type: scheduler.Call_REVIVE.Enum(), FrameworkId: &mesos.FrameworkID{Value: bad}},
		"suppress.roles":     {Type: scheduler.Call_SUPPRESS.Enum(), Suppress: &scheduler.Call_Suppress{Roles: []string{"a", *bad}}},
		"accept.operations.launch.task_infos.limits.key": {Accept: &scheduler.Call_Accept{
			Operations: []*mesos.Offer_Operation{{Launch: &mesos.Offer_Operation_Launch{TaskInfos: []*mesos.TaskInfo{{
				Name: proto.String(""), TaskId: &mesos.TaskID{Value: proto.String("")}, AgentId: &mesos.AgentID{Value: proto.String("")}, Limits: limits,
			}}}}},
		}},
	} {
		body, err := proto.Marshal(call)
		if err != nil {
			t.Fatal(err)
		}
		resp, text := c.do(t, "POST", schedulerPath, string(body), "Content-Type", "application/x-protobuf")
		want := "Failed to parse body into Call protobuf: '" + path + "' is not UTF-8"
		if resp.StatusCode != 400 || text != want {
			t.Errorf("%d %q, not %q", resp.StatusCode, text, want)
		}
	}
}

// TestCallOfAClientThatIsGone takes effect all the same: clients say TEARDOWN and exit.
func TestCallOfAClientThatIsGone(t *testing.T) {
	t.Parallel()
	slow := slowPolicy()
	c := newCluster(t, options{auth: slow, noOffers: true})
	s := c.subscribe(t, `{"user": "root", "name": "x", "roles": ["fast"], "capabilities": [{"type": "MULTI_ROLE"}]}`)
	body := `{"type": "UPDATE_FRAMEWORK", "framework_id": {"value": "` + s.framework + `"}, "update_framework": {"framework_info": {
		"user": "root", "name": "x", "id": {"value": "` + s.framework + `"}, "roles": ["slow"], "capabilities": [{"type": "MULTI_ROLE"}]}}}`
	conn := dial(t, c)
	writeAll(t, conn, "POST "+schedulerPath+" HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nMesos-Stream-Id: "+
		s.stream+"\r\nContent-Length: "+itoa(len(body))+"\r\n\r\n"+body)
	eventually(t, func() bool { return slow.asked("slow") })
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return c.loop.State().Framework(s.framework).HasRole("slow") })
}
