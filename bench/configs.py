"""Configuration texts of the peers, as lean as each of them allows: no access log, one worker, connections kept."""

from __future__ import annotations

from pathlib import Path
from string import Template

from bench.load import KEY

_NGINX = Template("""\
$modules
daemon off; worker_processes 1; pid $folder/pid; error_log $folder/error.log error;
events { worker_connections 4096; }
http {
  access_log off; keepalive_requests 100000000; client_body_buffer_size 64k;
  client_body_temp_path $folder/body; proxy_temp_path $folder/proxy; fastcgi_temp_path $folder/fastcgi;
  uwsgi_temp_path $folder/uwsgi; scgi_temp_path $folder/scgi;
  upstream mock { server 127.0.0.1:$upstream; keepalive 512; keepalive_requests 100000000; }
$extra
  server {
    listen 127.0.0.1:$port backlog=4096; tcp_nodelay on;
    location / {
$inside
      proxy_pass $scheme://mock; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off; proxy_read_timeout 120;
    }
  }
}
""")

_TLS_INSIDE = Template("""\
      proxy_ssl_session_reuse on; proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_trusted_certificate $ca;
""")

_LUA_MODULES = """\
load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
"""

_LUA_EXTRA = """\
  lua_package_path "/usr/share/lua/5.1/?.lua;;";
  init_worker_by_lua_block {
    json = require "cjson.safe"
    holders, rows = {}, {}
    for number = 0, 999 do holders[ngx.md5(string.format("sk-bench-%040d", number))] = number end
    ngx.timer.every(0.5, function() rows = {} end)
  }
"""

_LUA_INSIDE = """\
      access_by_lua_block {
        local given = ngx.var.http_authorization
        local holder = given and holders[ngx.md5(given:sub(8))]
        if not holder then return ngx.exit(401) end
        ngx.req.read_body()
        local asked = json.decode(ngx.req.get_body_data() or "")
        if not asked or asked.model ~= "mock" then return ngx.exit(404) end
        ngx.ctx.holder, ngx.ctx.model = holder, asked.model
        ngx.req.set_header("Authorization", "Bearer sk-provider")
      }
      body_filter_by_lua_block {
        local piece = ngx.arg[1]
        if piece and #piece > 20 then ngx.ctx.last = piece end
        if ngx.arg[2] then
          local sent, got = (ngx.ctx.last or ""):match('"prompt_tokens":(%d+),"completion_tokens":(%d+)')
          rows[#rows + 1] = {ngx.ctx.holder, ngx.ctx.model, tonumber(sent), tonumber(got), ngx.status}
        end
      }
"""

_HAPROXY = Template("""\
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout client 120s
  timeout server 120s
  timeout connect 5s
  http-reuse always
  option http-no-delay
frontend front
  bind 127.0.0.1:$port $bind
  default_backend back
backend back
  server mock 127.0.0.1:$upstream
""")

_LITELLM = Template("""\
model_list:
  - model_name: mock
    litellm_params: {model: openai/mock, api_base: "http://127.0.0.1:$upstream/v1", api_key: sk-provider}
litellm_settings: {num_retries: 0, request_timeout: 60, telemetry: false}
general_settings: {master_key: $key}
""")


def nginx(folder: Path, port: int, upstream: int, *, lua: bool = False, ca: Path | None = None) -> Path:
    """A relay: plain, to a TLS upstream whose certificate `ca` signed, or doing a gateway's job in Lua."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "nginx.conf"
    inside = _LUA_INSIDE if lua else _TLS_INSIDE.substitute(ca=ca) if ca else ""
    path.write_text(
        _NGINX.substitute(
            modules=_LUA_MODULES if lua else "",
            extra=_LUA_EXTRA if lua else "",
            inside=inside,
            folder=folder,
            port=port,
            upstream=upstream,
            scheme="https" if ca else "http",
        )
    )
    return path


def haproxy(folder: Path, port: int, upstream: int, pem: Path | None = None) -> Path:
    """A relay; with `pem` (key and certificate) it terminates TLS before the mock."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "haproxy.cfg"
    bind = f"ssl crt {pem} alpn http/1.1" if pem else ""
    path.write_text(_HAPROXY.substitute(port=port, upstream=upstream, bind=bind))
    return path


def litellm(folder: Path, upstream: int) -> Path:
    """LiteLLM's proxy with one model and one key."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "litellm.yaml"
    path.write_text(_LITELLM.substitute(upstream=upstream, key=KEY))
    return path
