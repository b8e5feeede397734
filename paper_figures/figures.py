"""The figures, in the order of the gallery."""

FIGURES = (
    "fig1_exponential",
    "fig2_square_root",
    "fig3_logarithm",
    "fig4_clones",
    "fig5_batch",
    "fig6_parameter",
    "fig7_spirals",
    "fig8_arithmetic",
    "fig9_majority",
    "fig10_realised",
    "fig11_replies",
    "fig12_search",
    "fig13_schedules",
    "fig14_league",
    "fig15_self_preference",
    "fig16_panels",
    "fig17_regret_matching",
    "fig18_tau_paths",
    "fig19_regularisers",
    "fig20_audit",
    "fig21_smollm2_league",
    "fig22_password",
)

QUICK = {  # pictured in the quick setting, all others in the full one
    "fig2_square_root",
    "fig6_parameter",
    "fig10_realised",
    "fig15_self_preference",
    "fig16_panels",
    "fig17_regret_matching",
    "fig20_audit",
}
