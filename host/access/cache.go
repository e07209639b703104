package access

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"github.com/mezzo-cluster/mezzo/sdk/authorizer"
)

// maxCached bounds the remembered answers; principals come from outside.
const maxCached = 4096

// cache remembers what principals may see, under the policy's present revision. It holds nothing while that is
// not known, as when the authorizer is down: then reading fails closed as well.
type cache struct {
	now func() time.Time

	mu       sync.Mutex
	revision string
	filters  map[string]authorizer.FilterAnswer
}

func newCache() *cache {
	return &cache{now: time.Now, filters: map[string]authorizer.FilterAnswer{}}
}

// setRevision makes a revision the present one; empty means that it is not known.
func (c *cache) setRevision(revision string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if revision != c.revision {
		clear(c.filters)
		c.revision = revision
	}
}

func (c *cache) filter(who Principal, action authorizer.Action) (authorizer.FilterAnswer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer, ok := c.filters[cacheKey(who, action)]
	return answer, ok && c.now().Before(answer.ValidUntil)
}

func (c *cache) put(who Principal, action authorizer.Action, answer authorizer.FilterAnswer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.revision == "" || answer.Revision != c.revision || !c.now().Before(answer.ValidUntil) {
		return
	}
	if len(c.filters) >= maxCached {
		clear(c.filters)
	}
	c.filters[cacheKey(who, action)] = answer
}

// cacheKey is the same for two principals only if all that is known of them is.
func cacheKey(who Principal, action authorizer.Action) string {
	key, err := json.Marshal([]any{action, who.Name, who.Claims})
	if err != nil { // strings and a map of strings can always be marshalled
		panic(err)
	}
	return string(key)
}

// retryRevisions bounds the pause before the authorizer is asked again for its revisions.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// Run follows the policy's revisions until ctx is done. Without it nothing is remembered from one request to the
// next, which is slower but no less right. changed is called with each revision; it may be nil.
func (c *Control) Run(ctx context.Context, changed func(authorizer.Revision)) {
	if c.auth == nil {
		return
	}
	pause := firstRetry
	for ctx.Err() == nil {
		_ = c.auth.Revisions(ctx, func(r authorizer.Revision) error {
			pause = firstRetry
			c.cache.setRevision(r.ID)
			if changed != nil {
				changed(r)
			}
			return nil
		})
		c.cache.setRevision("")
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, lastRetry)
	}
}
