package netfault

import (
	"context"
	"fmt"
	"net/http"

	"github.com/proofload/proofload/sut"
)

// Upstream returns where a link leads, as HOST:PORT.
func Upstream(ctx context.Context, controller sut.LinkController, link string) (string, error) {
	c, err := controlOf(controller, link)
	if err != nil {
		return "", err
	}
	var proxy struct {
		Upstream string `json:"upstream"`
	}
	err = c.do(ctx, http.MethodGet, c.proxyPath(), nil, &proxy)
	return proxy.Upstream, err
}

// SetUpstream lets a link lead to HOST:PORT, and closes its connections unless it
// does already. Its toxics stay.
func SetUpstream(ctx context.Context, controller sut.LinkController, link, upstream string) error {
	now, err := Upstream(ctx, controller, link)
	if err != nil || now == upstream {
		return err
	}
	c, err := controlOf(controller, link)
	if err != nil {
		return err
	}
	return c.do(ctx, http.MethodPatch, c.proxyPath(), map[string]string{"upstream": upstream}, nil)
}

// controlOf finds the control interface of a link.
func controlOf(controller sut.LinkController, link string) (control, error) {
	base, ok := controller.LinkControl(link)
	if !ok {
		return control{}, fmt.Errorf("link %s: no control interface: %w", link, sut.ErrUnsupported)
	}
	return control{link: link, base: base}, nil
}
