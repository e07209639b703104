package allocatorconv

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // which Codec hands all other messages to
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/status"

	"github.com/mezzo-cluster/mezzo/sdk/allocator"
	allocatorv1 "github.com/mezzo-cluster/mezzo/sdk/proto/mezzo/allocator/v1"
)

// HostStream is the host's end of AllocatorService.Run. One goroutine may send while another receives.
type HostStream struct {
	stream  grpc.ClientStream
	decoder Decoder
}

// OpenRun opens the stream. What goes over it is what the generated client would send and understand;
// encoding it without the generated messages is what makes it cheap.
func OpenRun(ctx context.Context, conn grpc.ClientConnInterface, opts ...grpc.CallOption) (*HostStream, error) {
	desc := &allocatorv1.AllocatorService_ServiceDesc.Streams[0]
	opts = append(opts, grpc.ForceCodecV2(Codec()))
	stream, err := conn.NewStream(ctx, desc, allocatorv1.AllocatorService_Run_FullMethodName, opts...)
	if err != nil {
		return nil, err
	}
	return &HostStream{stream: stream}, nil
}

// Context is the stream's; it ends when the stream does.
func (h *HostStream) Context() context.Context { return h.stream.Context() }

// chunkSize is the bytes in a chunk: of the 1 MiB that the contract allows, so few that the plugin decodes one while the
// host encodes the next.
const chunkSize = 32 << 10

// SendSnapshot sends a snapshot in chunks. io.EOF says that the stream has ended: Recv says why.
func (h *HostStream) SendSnapshot(s allocator.Snapshot) error {
	for f := range SnapshotFrames(s, chunkSize) {
		if err := h.stream.SendMsg(f); err != nil {
			return err
		}
	}
	return nil
}

// SendUpdates sends at most handshake.MaxBatch updates, of which sequence is the last one's.
func (h *HostStream) SendUpdates(sequence uint64, updates []allocator.Update) error {
	return h.stream.SendMsg(UpdatesFrame(sequence, updates))
}

// SendAnswers sends at most handshake.MaxBatch answers.
func (h *HostStream) SendAnswers(answers []allocator.Answer) error {
	return h.stream.SendMsg(AnswersFrame(answers))
}

// CloseSend tells the plugin that nothing more comes.
func (h *HostStream) CloseSend() error { return h.stream.CloseSend() }

// Recv is the plugin's next message. An error that is no status and not io.EOF is a message that cannot be
// decoded.
func (h *HostStream) Recv() (Response, error) {
	m := responseMessage{decoder: &h.decoder}
	if err := h.stream.RecvMsg(&m); err != nil {
		return Response{}, err
	}
	return m.response, m.err
}

// PluginStream is the plugin's end of AllocatorService.Run. One goroutine may send while another receives.
// The server has to have Codec.
type PluginStream struct {
	stream  grpc.ServerStream
	decoder Decoder
}

// NewPluginStream is the end of an open stream.
func NewPluginStream(s grpc.ServerStream) *PluginStream { return &PluginStream{stream: s} }

// Send sends a message.
func (p *PluginStream) Send(f Frame) error { return p.stream.SendMsg(f) }

// Recv is the host's next message.
func (p *PluginStream) Recv() (Request, error) {
	m := requestMessage{decoder: &p.decoder}
	if err := p.stream.RecvMsg(&m); err != nil {
		return Request{}, err
	}
	if m.err != nil {
		return Request{}, status.Error(codes.InvalidArgument, m.err.Error())
	}
	return m.request, nil
}

type requestMessage struct {
	decoder *Decoder
	request Request
	err     error
}

func (m *requestMessage) decode(b []byte) { m.request, m.err = m.decoder.Request(b) }

type responseMessage struct {
	decoder  *Decoder
	response Response
	err      error
}

func (m *responseMessage) decode(b []byte) { m.response, m.err = m.decoder.Response(b) }

// Codec is gRPC's own for protobuf, which also takes the frames of this package.
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2("proto")} }

type codec struct{ encoding.CodecV2 }

// Marshal encodes a message.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	if f, ok := v.(Frame); ok {
		return mem.BufferSlice{mem.SliceBuffer(f.data)}, nil
	}
	return c.CodecV2.Marshal(v)
}

// Unmarshal decodes a message. An error of this package's own stays in the message: gRPC would make one of
// its own of it.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(interface{ decode(b []byte) })
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	whole := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer whole.Free()
	m.decode(whole.ReadOnlyData())
	return nil
}
