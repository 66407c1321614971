{{/* What the label `release` of all series and alerts says. Two releases may have one name, in two namespaces. */}}
{{- define "splatworks.monitoring.release" -}}
{{ .Release.Namespace }}/{{ .Release.Name }}
{{- end -}}

{{/* Labels of every series, whatever pod it comes from; the rules and the dashboards count on them. */}}
{{- define "splatworks.monitoring.relabelings" -}}
- sourceLabels: [__meta_kubernetes_namespace, __meta_kubernetes_pod_label_app_kubernetes_io_instance]
  separator: /
  targetLabel: release
- sourceLabels: [__meta_kubernetes_pod_label_app_kubernetes_io_component]
  targetLabel: component
{{- end -}}
