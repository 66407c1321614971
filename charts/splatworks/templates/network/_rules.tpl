{{/* Rules that more than one NetworkPolicy is made of. */}}

{{- define "splatworks.egressToDNS" -}}
- to: {{ toYaml .Values.networkPolicy.dns | nindent 4 }}
  ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- end -}}

{{- define "splatworks.egressToStore" -}}
{{- if eq .Values.store.mode "embedded" -}}
- to:
    - podSelector:
        matchLabels:
          {{- include "splatworks.componentSelector" (dict "root" . "component" "store") | nindent 10 }}
  ports: [{port: 8333}]
{{- else -}}
- to:
    {{- range .Values.networkPolicy.storeCidrs }}
    - ipBlock: {cidr: {{ . }}}
    {{- else }}
    - ipBlock: {cidr: 0.0.0.0/0, except: [169.254.0.0/16]}
    - ipBlock: {cidr: "::/0", except: ["fe80::/10"]}
    {{- end }}
  ports: [{port: {{ include "splatworks.storePort" . }}}]
{{- end }}
{{- end -}}

{{- define "splatworks.egressToAPIServer" -}}
- ports:
    {{- range .Values.networkPolicy.apiServer.ports }}
    - {port: {{ . }}}
    {{- end }}
  {{- with .Values.networkPolicy.apiServer.cidrs }}
  to:
    {{- range . }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
  {{- end }}
{{- end -}}

{{- /* Takes (dict "root" $ "port" 50052). */}}
{{- define "splatworks.ingressFromKubelet" -}}
- ports: [{port: {{ .port }}}]
  {{- with .root.Values.networkPolicy.probeCidrs }}
  from:
    {{- range . }}
    - ipBlock: {cidr: {{ . }}}
    {{- end }}
  {{- end }}
{{- end -}}

{{- define "splatworks.ingressFromPrometheus" -}}
- from: {{ toYaml .Values.networkPolicy.prometheus | nindent 4 }}
  ports: [{port: 9090}]
{{- end }}
